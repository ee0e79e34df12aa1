// The SIGBUS handler for arm64. platform/sigbus/arm64.ts has the machine code; tests/safety/sigbus-handler.test.ts assembles
// this file and compares. The code is position-independent and copied to the beginning of a page. The twin of x64.s, which
// has the longer comments.

        .arch   armv8-a
        .text

// The head, 64 bytes. Other instances of the library recognize the handler by the first 16. mod.ts fills in the addresses.
        .ascii  "mmap-ffi SIGBUS1"
table:  .quad   0                       // the address of the table
before: .quad   0                       // the address of what is known about the replaced handler
        .zero   32

// void handler(int signal /* w0 */, siginfo_t *info /* x1 */, void *context /* x2 */)
handler:
        hint    #34                     // bti c
        ldr     w9, [x1, #8]            // info->si_code == BUS_ADRERR: the file does not have the page
        cmp     w9, #2
        b.ne    chain
        ldr     x11, [x1, #16]          // info->si_addr
        ldr     x9, table
        ldr     w12, [x9, #8]           // the number of slots that were ever in use
        add     x13, x9, #64            // the first slot

// Finds the slot of the region that has the page. A slot: state, 4 bytes; number of replaced pages, 4; start, 8; end, 8;
// the lowest replaced page, 8; the page from which all pages are replaced, 8.
slot:   cbz     w12, chain
        sub     w12, w12, #1
        ldar    w10, [x13]
        and     w14, w10, #3
        cmp     w14, #2                 // live
        b.ne    next
        ldp     x14, x15, [x13, #8]
        cmp     x11, x14
        b.lo    next
        cmp     x11, x15
        b.hs    next
        dmb     ishld                   // the slot was not reused while it was read
        ldr     w14, [x13]
        cmp     w14, w10
        b.eq    replace
next:   add     x13, x13, #40
        b       slot

// Replaces the page by zeros; once the slot has 64 such pages, all pages that follow too. A system call changes only x0.
replace:
        mov     x6, x0
        mov     x7, x1
        mov     x16, x2
        ldr     x14, [x9]               // the page size
        neg     x12, x14
        and     x12, x11, x12           // the page
        ldr     x15, [x13, #32]
        cmp     x12, x15
        b.hs    again                   // another thread has replaced it
        mov     x1, x14
        ldr     w11, [x13, #4]
        cmp     w11, #64
        b.lo    map
        sub     x1, x15, x12
map:    mov     x0, x12
        mov     x2, #3                  // PROT_READ | PROT_WRITE
        mov     x3, #0x4032             // MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE
        mov     x4, #-1
        mov     x5, #0
        mov     x8, #222                // mmap
        svc     #0
        cmp     x0, x12
        b.eq    count
        // It failed: try the other length.
        sub     x11, x15, x12
        add     x11, x11, x14
        sub     x1, x11, x1
        mov     x0, x12
        svc     #0
        cmp     x0, x12
        b.ne    refused

count:  add     x11, x12, x1
        cmp     x11, x15
        b.ne    lowest
        str     x12, [x13, #32]         // all pages from here are replaced
// The lowest page is stored before the count, so that a thread that sees the count sees the page too.
lowest: add     x14, x13, #24
lower:  ldaxr   x0, [x14]
        cmp     x0, x12
        b.ls    counted
        stlxr   w11, x12, [x14]
        cbnz    w11, lower
counted:
        add     x14, x13, #4
        ldr     x10, [x9]
        udiv    x10, x1, x10            // the number of pages
more:   ldaxr   w0, [x14]
        add     w0, w0, w10
        stlxr   w11, w0, [x14]
        cbnz    w11, more
again:  ret                             // the instruction runs again

refused:
        mov     x0, x6
        mov     x1, x7
        mov     x2, x16

// The signal is not the guard's. What `before` leads to: libc's struct sigaction of the replaced handler, 152 bytes (the
// handler at 0, which is SIG_DFL 0 or SIG_IGN 1; sa_flags at 136); the handler and the flags that mod.ts expected to
// replace, 8 bytes each; 32 bytes of zeros, which are the kernel's struct sigaction for SIG_DFL.
chain:  ldr     x9, before
        ldr     x16, [x9]
        ldr     w12, [x9, #136]
        ldr     w10, [x1, #8]
        cmp     x16, #2                 // mod.ts writes 2 and -1; libc overwrites them when it has installed this handler
        b.eq    unknown
        cmn     w12, #1
        b.eq    unknown
known:  cmp     x16, #1
        b.hi    call
        b.lo    default
        cmp     w10, #0                 // SIG_IGN: signals that a process sent are ignored; those of the kernel cannot be
        b.le    done

// SIG_DFL: restores it. A fault then happens again; a signal that a process sent is sent again, and is delivered when this
// handler has returned.
default:
        mov     x17, x30
        bl      restore
        mov     x30, x17
        cmp     w10, #0
        b.gt    done
        mov     x8, #172                // getpid
        svc     #0
        mov     w11, w0
        mov     x8, #178                // gettid
        svc     #0
        mov     w1, w0
        mov     w0, w11
        mov     x2, #7                  // SIGBUS
        mov     x8, #131                // tgkill
        svc     #0
done:   ret

// The thread that installs this handler is still in the call that does it. A fault happens again until the replaced handler
// is known. A sent signal may interrupt that very thread, and cannot wait: it goes to the expected handler.
unknown:
        cmp     w10, #0
        b.gt    done
        ldr     x16, [x9, #152]
        ldr     w12, [x9, #160]
        b       known

// A plain handler uses the first argument, one with SA_SIGINFO all three.
call:   tbz     w12, #31, jump          // SA_RESETHAND: it expects to be called once
        mov     x17, x30
        bl      restore
        mov     x30, x17
jump:   br      x16

// rt_sigaction(SIGBUS, SIG_DFL, NULL, 8); changes x3 to x8.
restore:
        mov     x4, x0
        mov     x5, x1
        mov     x6, x2
        mov     x0, #7
        add     x1, x9, #168
        mov     x2, #0
        mov     x3, #8
        mov     x8, #134
        svc     #0
        mov     x0, x4
        mov     x1, x5
        mov     x2, x6
        ret

        .section .note.GNU-stack, "", %progbits
