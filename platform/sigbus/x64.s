# The SIGBUS handler for x64. platform/sigbus/x64.ts has the machine code; tests/safety/sigbus-handler.test.ts assembles
# this file and compares. The code is position-independent and copied to the beginning of a page.
#
# The handler may run in the middle of anything, so it calls no function, takes no lock and leaves errno alone. It passes
# the signals that are not the guard's to the replaced handler, as the kernel would have.

        .intel_syntax noprefix
        .text

# The head, 64 bytes. Other instances of the library recognize the handler by the first 16. mod.ts fills in the addresses.
        .ascii  "mmap-ffi SIGBUS1"
table:  .quad   0                       # the address of the table
before: .quad   0                       # the address of what is known about the replaced handler
        .zero   32

# void handler(int signal /* edi */, siginfo_t *info /* rsi */, void *context /* rdx */)
# The path to the replaced handler preserves these three registers.
handler:
        endbr64
        cmp     dword ptr [rsi + 8], 2  # info->si_code == BUS_ADRERR: the file does not have the page
        jne     chain
        mov     r9, [rsi + 16]          # info->si_addr
        mov     r8, [rip + table]
        mov     ecx, [r8 + 8]           # the number of slots that were ever in use
        lea     r10, [r8 + 64]          # the first slot

# Finds the slot of the region that has the page. A slot: state, 4 bytes; number of replaced pages, 4; start, 8; end, 8;
# the lowest replaced page, 8; the page from which all pages are replaced, 8.
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
        cmp     eax, [r10]              # the slot was not reused while it was read (x64 loads in order)
        je      replace
next:   add     r10, 40
        jmp     slot

# Replaces the page by zeros. Once the slot has 64 such pages, replaces all pages that follow too: otherwise a file that is
# gone would cost one fault and one mapping for each page, and the number of mappings is limited.
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
        jae     again                   # another thread has replaced it
        cmp     dword ptr [rbx + 4], 64
        jb      map
        mov     rsi, [rbx + 32]
        sub     rsi, rdi
map:    mov     edx, 3                  # PROT_READ | PROT_WRITE
        mov     r10d, 0x4032            # MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE
        mov     r8, -1
        xor     r9d, r9d
        mov     eax, 9                  # mmap
        syscall                         # changes only rax, rcx and r11
        cmp     rax, rdi
        je      count
        # It failed: too many mappings, or too little memory. Try the other length.
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
        mov     [rbx + 32], rdi         # all pages from here are replaced
# The lowest page is stored before the count, so that a thread that sees the count sees the page too.
lowest: mov     rax, [rbx + 24]
lower:  cmp     rax, rdi
        jbe     counted
        lock cmpxchg [rbx + 24], rdi
        jne     lower
counted:
        mov     rax, rsi
        xor     edx, edx
        div     r12
        lock add [rbx + 4], eax         # the number of pages
again:
        pop     r12
        pop     rbx
        pop     rdx
        pop     rsi
        pop     rdi
        ret                             # the instruction runs again

refused:
        pop     r12
        pop     rbx
        pop     rdx
        pop     rsi
        pop     rdi

# The signal is not the guard's. What `before` leads to: libc's struct sigaction of the replaced handler, 152 bytes (the
# handler at 0, which is SIG_DFL 0 or SIG_IGN 1; sa_flags at 136); the handler and the flags that mod.ts expected to replace,
# 8 bytes each; 32 bytes of zeros, which are the kernel's struct sigaction for SIG_DFL.
chain:  mov     r8, [rip + before]
        mov     rax, [r8]
        mov     ecx, [r8 + 136]
        cmp     rax, 2                  # mod.ts writes 2 and -1; libc overwrites them when it has installed this handler
        je      unknown
        cmp     ecx, -1
        je      unknown
known:  cmp     rax, 1
        ja      call
        jb      default
        cmp     dword ptr [rsi + 8], 0  # SIG_IGN: signals that a process sent are ignored; those of the kernel cannot be
        jle     done

# SIG_DFL: restores it. A fault then happens again; a signal that a process sent is sent again, and is delivered when this
# handler has returned.
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

# The thread that installs this handler is still in the call that does it. A fault happens again until the replaced handler is
# known. A sent signal may interrupt that very thread, and cannot wait: it goes to the expected handler.
unknown:
        cmp     dword ptr [rsi + 8], 0
        jg      done
        mov     rax, [r8 + 152]
        mov     ecx, [r8 + 160]
        jmp     known

# A plain handler uses the first argument, one with SA_SIGINFO all three.
call:   test    ecx, 0x80000000         # SA_RESETHAND: it expects to be called once
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
        lea     rsi, [r8 + 168]
        xor     edx, edx
        mov     r10d, 8
        mov     eax, 13
        syscall
        pop     rdx
        pop     rsi
        pop     rdi
        ret

        .section .note.GNU-stack, "", @progbits
