//go:build !purego

#include "textflag.h"

// The constants of the rounds: the first 32 bits of the fractions of the cube roots of
// the first 64 primes.
DATA ·rounds+0(SB)/8, $0x71374491428a2f98
DATA ·rounds+8(SB)/8, $0xe9b5dba5b5c0fbcf
DATA ·rounds+16(SB)/8, $0x59f111f13956c25b
DATA ·rounds+24(SB)/8, $0xab1c5ed5923f82a4
DATA ·rounds+32(SB)/8, $0x12835b01d807aa98
DATA ·rounds+40(SB)/8, $0x550c7dc3243185be
DATA ·rounds+48(SB)/8, $0x80deb1fe72be5d74
DATA ·rounds+56(SB)/8, $0xc19bf1749bdc06a7
DATA ·rounds+64(SB)/8, $0xefbe4786e49b69c1
DATA ·rounds+72(SB)/8, $0x240ca1cc0fc19dc6
DATA ·rounds+80(SB)/8, $0x4a7484aa2de92c6f
DATA ·rounds+88(SB)/8, $0x76f988da5cb0a9dc
DATA ·rounds+96(SB)/8, $0xa831c66d983e5152
DATA ·rounds+104(SB)/8, $0xbf597fc7b00327c8
DATA ·rounds+112(SB)/8, $0xd5a79147c6e00bf3
DATA ·rounds+120(SB)/8, $0x1429296706ca6351
DATA ·rounds+128(SB)/8, $0x2e1b213827b70a85
DATA ·rounds+136(SB)/8, $0x53380d134d2c6dfc
DATA ·rounds+144(SB)/8, $0x766a0abb650a7354
DATA ·rounds+152(SB)/8, $0x92722c8581c2c92e
DATA ·rounds+160(SB)/8, $0xa81a664ba2bfe8a1
DATA ·rounds+168(SB)/8, $0xc76c51a3c24b8b70
DATA ·rounds+176(SB)/8, $0xd6990624d192e819
DATA ·rounds+184(SB)/8, $0x106aa070f40e3585
DATA ·rounds+192(SB)/8, $0x1e376c0819a4c116
DATA ·rounds+200(SB)/8, $0x34b0bcb52748774c
DATA ·rounds+208(SB)/8, $0x4ed8aa4a391c0cb3
DATA ·rounds+216(SB)/8, $0x682e6ff35b9cca4f
DATA ·rounds+224(SB)/8, $0x78a5636f748f82ee
DATA ·rounds+232(SB)/8, $0x8cc7020884c87814
DATA ·rounds+240(SB)/8, $0xa4506ceb90befffa
DATA ·rounds+248(SB)/8, $0xc67178f2bef9a3f7
GLOBL ·rounds(SB), RODATA|NOPTR, $256

// Words of a message are big endian.
DATA ·swap+0(SB)/8, $0x0405060700010203
DATA ·swap+8(SB)/8, $0x0c0d0e0f08090a0b
GLOBL ·swap(SB), RODATA|NOPTR, $16

// func cpuid(leaf, sub uint32) (a, b, c uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-20
	MOVL leaf+0(FP), AX
	MOVL sub+4(FP), CX
	CPUID
	MOVL AX, a+8(FP)
	MOVL BX, b+12(FP)
	MOVL CX, c+16(FP)
	RET

// Registers: X1 and X2 are the state of the first lane, X3 to X6 its last sixteen words
// of schedule; X7, X8 and X9 to X12 are those of the second lane. X0 holds what the
// rounds add, X13 is for what lasts one step,
// X15 is the order of bytes. AX leads to the constants.

// LOAD reads four words of a message.
#define LOAD(at, p, m) \
	MOVOU at(p), m; \
	PSHUFB X15, m

// ROUNDS does four rounds: with the constants from k on and the words of m.
#define ROUNDS(k, m, s0, s1) \
	MOVOU (4*k)(AX), X0; \
	PADDD m, X0; \
	SHA256RNDS2 X0, s0, s1; \
	PSHUFD $0x0e, X0, X0; \
	SHA256RNDS2 X0, s1, s0

// ENDS completes n, the four words after m, which BEGINS began; before are those before m.
#define ENDS(before, m, n) \
	MOVO m, X13; \
	PALIGNR $4, before, X13; \
	PADDD X13, n; \
	SHA256MSG2 m, n

// BEGINS begins the four words that come sixteen after those in before; m are those
// after before.
#define BEGINS(before, m) \
	SHA256MSG1 m, before

// func blocks2(s, t *[8]uint32, p, q *byte, n int)
TEXT ·blocks2(SB), NOSPLIT, $0-40
	MOVQ s+0(FP), R8
	MOVQ t+8(FP), R9
	MOVQ p+16(FP), SI
	MOVQ q+24(FP), DI
	MOVQ n+32(FP), CX
	LEAQ ·rounds(SB), AX
	MOVOU ·swap(SB), X15
	MOVOU 0(R8), X1
	MOVOU 16(R8), X2
	MOVOU 0(R9), X7
	MOVOU 16(R9), X8

next:
	LOAD(0, SI, X3)
	ROUNDS(0, X3, X1, X2)
	LOAD(0, DI, X9)
	ROUNDS(0, X9, X7, X8)
	LOAD(16, SI, X4)
	ROUNDS(4, X4, X1, X2)
	BEGINS(X3, X4)
	LOAD(16, DI, X10)
	ROUNDS(4, X10, X7, X8)
	BEGINS(X9, X10)
	LOAD(32, SI, X5)
	ROUNDS(8, X5, X1, X2)
	BEGINS(X4, X5)
	LOAD(32, DI, X11)
	ROUNDS(8, X11, X7, X8)
	BEGINS(X10, X11)
	LOAD(48, SI, X6)
	ROUNDS(12, X6, X1, X2)
	ENDS(X5, X6, X3)
	BEGINS(X5, X6)
	LOAD(48, DI, X12)
	ROUNDS(12, X12, X7, X8)
	ENDS(X11, X12, X9)
	BEGINS(X11, X12)
	ROUNDS(16, X3, X1, X2)
	ENDS(X6, X3, X4)
	BEGINS(X6, X3)
	ROUNDS(16, X9, X7, X8)
	ENDS(X12, X9, X10)
	BEGINS(X12, X9)
	ROUNDS(20, X4, X1, X2)
	ENDS(X3, X4, X5)
	BEGINS(X3, X4)
	ROUNDS(20, X10, X7, X8)
	ENDS(X9, X10, X11)
	BEGINS(X9, X10)
	ROUNDS(24, X5, X1, X2)
	ENDS(X4, X5, X6)
	BEGINS(X4, X5)
	ROUNDS(24, X11, X7, X8)
	ENDS(X10, X11, X12)
	BEGINS(X10, X11)
	ROUNDS(28, X6, X1, X2)
	ENDS(X5, X6, X3)
	BEGINS(X5, X6)
	ROUNDS(28, X12, X7, X8)
	ENDS(X11, X12, X9)
	BEGINS(X11, X12)
	ROUNDS(32, X3, X1, X2)
	ENDS(X6, X3, X4)
	BEGINS(X6, X3)
	ROUNDS(32, X9, X7, X8)
	ENDS(X12, X9, X10)
	BEGINS(X12, X9)
	ROUNDS(36, X4, X1, X2)
	ENDS(X3, X4, X5)
	BEGINS(X3, X4)
	ROUNDS(36, X10, X7, X8)
	ENDS(X9, X10, X11)
	BEGINS(X9, X10)
	ROUNDS(40, X5, X1, X2)
	ENDS(X4, X5, X6)
	BEGINS(X4, X5)
	ROUNDS(40, X11, X7, X8)
	ENDS(X10, X11, X12)
	BEGINS(X10, X11)
	ROUNDS(44, X6, X1, X2)
	ENDS(X5, X6, X3)
	BEGINS(X5, X6)
	ROUNDS(44, X12, X7, X8)
	ENDS(X11, X12, X9)
	BEGINS(X11, X12)
	ROUNDS(48, X3, X1, X2)
	ENDS(X6, X3, X4)
	BEGINS(X6, X3)
	ROUNDS(48, X9, X7, X8)
	ENDS(X12, X9, X10)
	BEGINS(X12, X9)
	ROUNDS(52, X4, X1, X2)
	ENDS(X3, X4, X5)
	ROUNDS(52, X10, X7, X8)
	ENDS(X9, X10, X11)
	ROUNDS(56, X5, X1, X2)
	ENDS(X4, X5, X6)
	ROUNDS(56, X11, X7, X8)
	ENDS(X10, X11, X12)
	ROUNDS(60, X6, X1, X2)
	ROUNDS(60, X12, X7, X8)
	MOVOU 0(R8), X13
	PADDD X13, X1
	MOVOU X1, 0(R8)
	MOVOU 16(R8), X13
	PADDD X13, X2
	MOVOU X2, 16(R8)
	MOVOU 0(R9), X13
	PADDD X13, X7
	MOVOU X7, 0(R9)
	MOVOU 16(R9), X13
	PADDD X13, X8
	MOVOU X8, 16(R9)
	ADDQ $64, SI
	ADDQ $64, DI
	DECQ CX
	JNZ next
	RET

// func blocks1(s *[8]uint32, p *byte, n int)
TEXT ·blocks1(SB), NOSPLIT, $0-24
	MOVQ s+0(FP), R8
	MOVQ p+8(FP), SI
	MOVQ n+16(FP), CX
	LEAQ ·rounds(SB), AX
	MOVOU ·swap(SB), X15
	MOVOU 0(R8), X1
	MOVOU 16(R8), X2

next:
	LOAD(0, SI, X3)
	ROUNDS(0, X3, X1, X2)
	LOAD(16, SI, X4)
	ROUNDS(4, X4, X1, X2)
	BEGINS(X3, X4)
	LOAD(32, SI, X5)
	ROUNDS(8, X5, X1, X2)
	BEGINS(X4, X5)
	LOAD(48, SI, X6)
	ROUNDS(12, X6, X1, X2)
	ENDS(X5, X6, X3)
	BEGINS(X5, X6)
	ROUNDS(16, X3, X1, X2)
	ENDS(X6, X3, X4)
	BEGINS(X6, X3)
	ROUNDS(20, X4, X1, X2)
	ENDS(X3, X4, X5)
	BEGINS(X3, X4)
	ROUNDS(24, X5, X1, X2)
	ENDS(X4, X5, X6)
	BEGINS(X4, X5)
	ROUNDS(28, X6, X1, X2)
	ENDS(X5, X6, X3)
	BEGINS(X5, X6)
	ROUNDS(32, X3, X1, X2)
	ENDS(X6, X3, X4)
	BEGINS(X6, X3)
	ROUNDS(36, X4, X1, X2)
	ENDS(X3, X4, X5)
	BEGINS(X3, X4)
	ROUNDS(40, X5, X1, X2)
	ENDS(X4, X5, X6)
	BEGINS(X4, X5)
	ROUNDS(44, X6, X1, X2)
	ENDS(X5, X6, X3)
	BEGINS(X5, X6)
	ROUNDS(48, X3, X1, X2)
	ENDS(X6, X3, X4)
	BEGINS(X6, X3)
	ROUNDS(52, X4, X1, X2)
	ENDS(X3, X4, X5)
	ROUNDS(56, X5, X1, X2)
	ENDS(X4, X5, X6)
	ROUNDS(60, X6, X1, X2)
	MOVOU 0(R8), X13
	PADDD X13, X1
	MOVOU X1, 0(R8)
	MOVOU 16(R8), X13
	PADDD X13, X2
	MOVOU X2, 16(R8)
	ADDQ $64, SI
	DECQ CX
	JNZ next
	RET
