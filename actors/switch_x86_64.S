/* SPDX-License-Identifier: MIT */
/* switch_x86_64.S - contexts and marks for x86-64 with the System V calling convention.
 *
 * The stack of a suspended context, from its sp upwards:
 *
 *     r15  r14  r13  r12  rbx  rbp  where to go on
 *
 * Only what a callee must keep is kept, and of that neither mxcsr nor the x87 control word: they
 * would double the cost of a switch, and hardly any program changes them. All ways on end in a
 * jump, not a ret: the processor predicts a ret by the calls before it, and those were made on
 * another stack. `notrack` lets the jumps land behind a call where indirect branches are tracked
 * (-fcf-protection). Shadow stacks would have to be switched too, so the note at the end offers
 * branch tracking alone. */
#if defined(__x86_64__) && defined(__LP64__) && defined(__ELF__) && !defined(FIB_UCONTEXT)

#if defined(__CET__) && (__CET__ & 1)
#define LANDING endbr64
#define JUMP notrack jmp
#else
#define LANDING
#define JUMP jmp
#endif

#define FUNCTION(name)                                                                             \
    .globl name; .hidden name; .type name, @function; .p2align 4; name: .cfi_startproc; LANDING
#define END(name) .cfi_endproc; .size name, . - name

    .text

/* void fib_swap(struct fib_context *from, struct fib_context *to)
 *
 * Moves, where pushes and pops would do: those keep a count of their own of the stack pointer, and
 * lose it at each switch. What is stored below rsp is safe from signals in the red zone. Storing
 * the old stack pointer before the new one is loaded is slower. */
FUNCTION(fib_swap)
    leaq -48(%rsp), %rax
    movq %rbp, 40(%rax)
    movq %rbx, 32(%rax)
    movq %r12, 24(%rax)
    movq %r13, 16(%rax)
    movq %r14, 8(%rax)
    movq %r15, (%rax)
    movq (%rsi), %rsp
    .cfi_def_cfa_offset 56
    .cfi_offset rbp, -16
    .cfi_offset rbx, -24
    .cfi_offset r12, -32
    .cfi_offset r13, -40
    .cfi_offset r14, -48
    .cfi_offset r15, -56
    movq %rax, (%rdi)
    movq 48(%rsp), %rcx
    movq (%rsp), %r15
    movq 8(%rsp), %r14
    movq 16(%rsp), %r13
    movq 24(%rsp), %r12
    movq 32(%rsp), %rbx
    movq 40(%rsp), %rbp
    .cfi_restore rbp
    .cfi_restore rbx
    .cfi_restore r12
    .cfi_restore r13
    .cfi_restore r14
    .cfi_restore r15
    addq $56, %rsp
    .cfi_def_cfa_offset 0
    .cfi_register rip, rcx
    JUMP *%rcx
END(fib_swap)

/* Where a new context begins: r12 is its function, r13 the argument. A backtrace ends here. The nop
 * is for unwinders that look up the address before the one to go on at. */
    .hidden fib_start
    .globl fib_start
    .type fib_start, @function
    .p2align 4
    .cfi_startproc
    .cfi_undefined rip
    nop
fib_start:
    LANDING
    movq %r13, %rdi
    xorl %ebp, %ebp
    callq *%r12
    ud2
END(fib_start)

/* int fib_mark(struct fib_mark *m): rbx rbp r12 r13 r14 r15, rsp and rip after the return */
FUNCTION(fib_mark)
    movq (%rsp), %rdx
    leaq 8(%rsp), %rcx
    movq %rbx, (%rdi)
    movq %rbp, 8(%rdi)
    movq %r12, 16(%rdi)
    movq %r13, 24(%rdi)
    movq %r14, 32(%rdi)
    movq %r15, 40(%rdi)
    movq %rcx, 48(%rdi)
    movq %rdx, 56(%rdi)
    xorl %eax, %eax
    retq
END(fib_mark)

/* void fib_resume(struct fib_mark *m) */
FUNCTION(fib_resume)
    movl $1, %eax
    movq (%rdi), %rbx
    movq 8(%rdi), %rbp
    movq 16(%rdi), %r12
    movq 24(%rdi), %r13
    movq 32(%rdi), %r14
    movq 40(%rdi), %r15
    movq 56(%rdi), %rdx
    movq 48(%rdi), %rsp
    JUMP *%rdx
END(fib_resume)

#if defined(__CET__) && (__CET__ & 1)
    .section .note.gnu.property, "a", @note
    .p2align 3
    .long 4, 16, 5
    .asciz "GNU"
    .long 0xc0000002, 4, 1, 0 /* GNU_PROPERTY_X86_FEATURE_1_AND: IBT */
#endif
#endif
#if defined(__ELF__)
    .section .note.GNU-stack, "", @progbits
#endif
