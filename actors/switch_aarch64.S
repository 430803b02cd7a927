/* SPDX-License-Identifier: MIT */
/* switch_aarch64.S - contexts and marks for AArch64 with the standard calling convention.
 *
 * The stack of a suspended context, from its sp upwards, 160 bytes:
 *
 *     x19 ... x28  x29  where to go on  d8 ... d15
 *
 * Only what a callee must keep is kept, and not fpcr. The ways on end in br, not ret: the processor
 * predicts a ret by the calls before it, and those were made on another stack. Where branch targets
 * are checked (BTI), br could not land behind a call, and ret has to do. */
#if defined(__aarch64__) && defined(__LP64__) && defined(__ELF__) && !defined(FIB_UCONTEXT)

#if defined(__ARM_FEATURE_BTI_DEFAULT)
#define GO_ON ret
#else
#define GO_ON br x30
#endif
/* bti c and bti j, as hints, which every assembler and processor takes */
#define CALLED hint 34
#define JUMPED_TO hint 36

    .macro function name
    .globl \name
    .hidden \name
    .type \name, %function
    .p2align 4
\name:
    .cfi_startproc
    CALLED
    .endm

    .macro end name
    .cfi_endproc
    .size \name, . - \name
    .endm

    .text

/* void fib_swap(struct fib_context *from, struct fib_context *to) */
    function fib_swap
    sub sp, sp, #160
    .cfi_adjust_cfa_offset 160
    stp x19, x20, [sp]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    ldr x9, [x1]
    mov sp, x9
    ldp x19, x20, [sp]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    .cfi_restore x29
    .cfi_restore x30
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    .cfi_adjust_cfa_offset -160
    GO_ON
    end fib_swap

/* Where a new context begins: x19 is its function, x20 the argument. A backtrace ends here. The nop
 * is for unwinders that look up the address before the one to go on at. */
    .globl fib_start
    .hidden fib_start
    .type fib_start, %function
    .p2align 4
    .cfi_startproc
    .cfi_undefined x30
    nop
fib_start:
    JUMPED_TO
    mov x0, x20
    mov x29, xzr
    mov x30, xzr
    blr x19
    brk #1
    end fib_start

/* int fib_mark(struct fib_mark *m): x19 ... x28, x29, x30, d8 ... d15, sp */
    function fib_mark
    mov x9, sp
    stp x19, x20, [x0]
    stp x21, x22, [x0, #16]
    stp x23, x24, [x0, #32]
    stp x25, x26, [x0, #48]
    stp x27, x28, [x0, #64]
    stp x29, x30, [x0, #80]
    stp d8, d9, [x0, #96]
    stp d10, d11, [x0, #112]
    stp d12, d13, [x0, #128]
    stp d14, d15, [x0, #144]
    str x9, [x0, #160]
    mov w0, wzr
    ret
    end fib_mark

/* void fib_resume(struct fib_mark *m) */
    function fib_resume
    ldp x19, x20, [x0]
    ldp x21, x22, [x0, #16]
    ldp x23, x24, [x0, #32]
    ldp x25, x26, [x0, #48]
    ldp x27, x28, [x0, #64]
    ldp x29, x30, [x0, #80]
    ldp d8, d9, [x0, #96]
    ldp d10, d11, [x0, #112]
    ldp d12, d13, [x0, #128]
    ldp d14, d15, [x0, #144]
    ldr x9, [x0, #160]
    mov sp, x9
    mov w0, #1
    GO_ON
    end fib_resume

#if defined(__ARM_FEATURE_BTI_DEFAULT)
    .section .note.gnu.property, "a", %note
    .p2align 3
    .long 4, 16, 5
    .asciz "GNU"
    .long 0xc0000000, 4, 1, 0 /* GNU_PROPERTY_AARCH64_FEATURE_1_AND: BTI */
#endif
#endif
#if defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif
