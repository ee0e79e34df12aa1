# The SIGBUS handler for x64, as platform/sigbus/x64.ts has it in bytes;
# tests/safety/sigbus-handler.test.ts assembles this file and compares. It is
# position-independent and written to the beginning of a page.
#
# It calls nothing, takes no lock and leaves errno alone, for it may run in the middle of anything. Of a signal that it
# does not answer, the handler that was there before sees what the kernel would have shown it.

        .intel_syntax noprefix
        .text

# The head, of 64 bytes. Other instances of the library know the handler by its first 16; mod.ts fills in the addresses.
        .ascii  "mmap-ffi SIGBUS1"
table:  .quad   0                       # of the slots
before: .quad   0                       # of what is known of the handler that was there before
        .zero   32

# void handler(int signal /* edi */, siginfo_t *info /* rsi */, void *context /* rdx */)
# The way to the handler that was there before leaves these three alone.
handler:
        endbr64
        cmp     dword ptr [rsi + 8], 2  # info->si_code == BUS_ADRERR: there is nothing behind the page
        jne     chain
        mov     r9, [rsi + 16]          # info->si_addr
        mov     r8, [rip + table]
        mov     ecx, [r8 + 8]           # so many slots were ever in use
        lea     r10, [r8 + 64]          # the first of them

# Whose page is it? A slot: state, 4 bytes; replaced pages, 4; start, 8; end, 8; the lowest replaced
# page, 8; the page from which on all are replaced, 8.
slot:   sub     ecx, 1
        jb      chain
        mov     eax, [r10]
        mov     r11d, eax
        and     r11d, 3
        cmp     r11d, 2                 # live
        jne     next
        cmp     r9, [r10 + 8]
        jb      next
        cmp     r9, [r10 + 16]
        jae     next
        cmp     eax, [r10]              # and not given to another region while it was read (x64 reads in order)
        je      replace
next:   add     r10, 40
        jmp     slot

# Zeros in place of the page; of all that follow it too, once the slot has 64 such pages, so that a file that is gone costs
# neither a fault a page nor a mapping a page, of which the system has few.
replace:
        push    rdi
        push    rsi
        push    rdx
        push    rbx
        push    r12
        mov     rbx, r10                # the slot
        mov     r12, [r8]               # the page size
        mov     rsi, r12
        mov     rdi, r12
        neg     rdi
        and     rdi, r9                 # the page
        cmp     rdi, [rbx + 32]
        jae     again                   # another thread was faster
        cmp     dword ptr [rbx + 4], 64
        jb      map
        mov     rsi, [rbx + 32]
        sub     rsi, rdi
map:    mov     edx, 3                  # PROT_READ | PROT_WRITE
        mov     r10d, 0x4032            # MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE
        mov     r8, -1
        xor     r9d, r9d
        mov     eax, 9                  # mmap
        syscall                         # changes rax, rcx and r11 alone
        cmp     rax, rdi
        je      count
        # Refused, for there are too many mappings, or too little memory: try the other length.
        mov     rax, [rbx + 32]
        sub     rax, rdi
        add     rax, r12
        sub     rax, rsi
        mov     rsi, rax
        mov     eax, 9
        syscall
        cmp     rax, rdi
        jne     refused

count:  lea     rax, [rdi + rsi]
        cmp     rax, [rbx + 32]
        jne     lowest
        mov     [rbx + 32], rdi         # from here on all are replaced
# The lowest page first: whoever sees the count sees it too.
lowest: mov     rax, [rbx + 24]
lower:  cmp     rax, rdi
        jbe     counted
        lock cmpxchg [rbx + 24], rdi
        jne     lower
counted:
        mov     rax, rsi
        xor     edx, edx
        div     r12
        lock add [rbx + 4], eax         # so many pages
again:
        pop     r12
        pop     rbx
        pop     rdx
        pop     rsi
        pop     rdi
        ret                             # and the instruction runs again

refused:
        pop     r12
        pop     rbx
        pop     rdx
        pop     rsi
        pop     rdi

# Not ours. Before: the handler, 8 bytes, SIG_DFL being 0 and SIG_IGN 1; its sa_flags, 8; 32 bytes of zeros, which are the
# kernel's struct sigaction for SIG_DFL.
chain:  mov     r8, [rip + before]
        mov     rax, [r8]
        cmp     rax, 1
        ja      call
        jb      default
        cmp     dword ptr [rsi + 8], 0  # SIG_IGN: what a process sent is ignored, what the kernel says can't be
        jle     done

# The kernel's own answer: with the default restored, the fault happens again, and a signal that was sent is sent again;
# it arrives when this handler has returned.
default:
        mov     r9d, [rsi + 8]
        call    restore
        test    r9d, r9d
        jg      done
        mov     eax, 39                 # getpid
        syscall
        mov     edi, eax
        mov     eax, 186                # gettid
        syscall
        mov     esi, eax
        mov     edx, 7                  # SIGBUS
        mov     eax, 234                # tgkill
        syscall
done:   ret

# A plain handler takes the first of the three arguments, one with SA_SIGINFO all of them.
call:   test    dword ptr [r8 + 8], 0x80000000 # SA_RESETHAND: it expects to be called once
        je      jump
        push    rax
        call    restore
        pop     rax
jump:   jmp     rax

# rt_sigaction(SIGBUS, SIG_DFL, NULL, 8); changes rax, rcx, r10 and r11.
restore:
        push    rdi
        push    rsi
        push    rdx
        mov     edi, 7
        lea     rsi, [r8 + 16]
        xor     edx, edx
        mov     r10d, 8
        mov     eax, 13
        syscall
        pop     rdx
        pop     rsi
        pop     rdi
        ret

        .section .note.GNU-stack, "", @progbits
