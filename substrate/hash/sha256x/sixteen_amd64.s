//go:build !purego

#include "textflag.h"

// func xgetbv() uint32
TEXT ·xgetbv(SB), NOSPLIT, $0-4
	XORL CX, CX
	XGETBV
	MOVL AX, ret+0(FP)
	RET

// blocks16 has the lanes side by side: a register holds one word of each of sixteen
// messages. While it reads, all registers are for that; then Z0 to Z15 are the last
// sixteen words of the schedule, Z16 to Z23 are a to h of the state and Z24 to Z29 are for
// what lasts one round. AX leads to the constants, SI to the pointers of the lanes,
// BX is how far they are behind.

// READ reads a block of a lane; words of a message are big endian.
#define READ(lane, z) \
	MOVQ (8*lane)(SI), DX; \
	VMOVDQU32 (DX)(BX*1), z; \
	VPSHUFB Z31, z, z

// PAIRS makes of p and q, rows of a square of words, rows of pairs: one of p beside one
// of q.
#define PAIRS(p, q, low, high) \
	VPUNPCKLDQ q, p, low; \
	VPUNPCKHDQ q, p, high

// FOURS does the same with pairs.
#define FOURS(p, q, low, high) \
	VPUNPCKLQDQ q, p, low; \
	VPUNPCKHQDQ q, p, high

// COLUMNS has in each of p, q, r and s four times four words, and makes columns of them: p
// becomes the first four of each, q the second, r the third, s the last.
#define COLUMNS(p, q, r, s) \
	VSHUFI32X4 $0x88, q, p, Z16; \
	VSHUFI32X4 $0xdd, q, p, Z17; \
	VSHUFI32X4 $0x88, s, r, Z18; \
	VSHUFI32X4 $0xdd, s, r, Z19; \
	VSHUFI32X4 $0x88, Z18, Z16, p; \
	VSHUFI32X4 $0x88, Z19, Z17, q; \
	VSHUFI32X4 $0xdd, Z18, Z16, r; \
	VSHUFI32X4 $0xdd, Z19, Z17, s

// ROUND is a round with a word of the schedule and constant k of the sixteen at AX. The new
// a is in h, and the new e in d. The tables of VPTERNLOGD: 0x96 is x⊕y⊕z, 0xca is x ? y : z
// and 0xe8 is what most of the three are.
//
// A round waits for the one before, so it is the way from e to the new e, and from a to the new a,
// that takes the time: three steps each, since all else is added before. It costs two more
// additions than need be.
#define ROUND(a, b, c, d, e, f, g, h, k, w) \
	VPADDD.BCST (4*k)(AX), h, h; \
	VPADDD w, h, h; \
	VPADDD h, d, d; \
	VMOVDQA32 e, Z24; \
	VPTERNLOGD $0xca, g, f, Z24; \
	VMOVDQA32 a, Z29; \
	VPTERNLOGD $0xe8, c, b, Z29; \
	VPRORD $6, e, Z25; \
	VPRORD $11, e, Z26; \
	VPRORD $25, e, Z27; \
	VPTERNLOGD $0x96, Z27, Z26, Z25; \
	VPADDD Z24, d, d; \
	VPADDD Z25, d, d; \
	VPADDD Z24, h, h; \
	VPADDD Z29, h, h; \
	VPADDD Z25, h, h; \
	VPRORD $2, a, Z26; \
	VPRORD $13, a, Z27; \
	VPRORD $22, a, Z28; \
	VPTERNLOGD $0x96, Z28, Z27, Z26; \
	VPADDD Z26, h, h

// NEXT makes of w, a word of the schedule, the one sixteen later; w1, w9 and w14 are
// so much younger than w.
#define NEXT(w, w1, w9, w14) \
	VPRORD $7, w1, Z24; \
	VPRORD $18, w1, Z25; \
	VPSRLD $3, w1, Z26; \
	VPTERNLOGD $0x96, Z26, Z25, Z24; \
	VPRORD $17, w14, Z27; \
	VPRORD $19, w14, Z28; \
	VPSRLD $10, w14, Z29; \
	VPTERNLOGD $0x96, Z29, Z28, Z27; \
	VPADDD w9, w, w; \
	VPADDD Z24, w, w; \
	VPADDD Z27, w, w

// func blocks16(s *[8][16]uint32, p *[16]*byte, n int)
TEXT ·blocks16(SB), NOSPLIT, $0-24
	MOVQ s+0(FP), DI
	MOVQ p+8(FP), SI
	MOVQ n+16(FP), CX
	XORL BX, BX

block:
	VBROADCASTI32X4 ·swap(SB), Z31
	READ(0, Z0)
	READ(1, Z1)
	READ(2, Z2)
	READ(3, Z3)
	READ(4, Z4)
	READ(5, Z5)
	READ(6, Z6)
	READ(7, Z7)
	READ(8, Z8)
	READ(9, Z9)
	READ(10, Z10)
	READ(11, Z11)
	READ(12, Z12)
	READ(13, Z13)
	READ(14, Z14)
	READ(15, Z15)
	PAIRS(Z0, Z1, Z16, Z17)
	PAIRS(Z2, Z3, Z18, Z19)
	PAIRS(Z4, Z5, Z20, Z21)
	PAIRS(Z6, Z7, Z22, Z23)
	PAIRS(Z8, Z9, Z24, Z25)
	PAIRS(Z10, Z11, Z26, Z27)
	PAIRS(Z12, Z13, Z28, Z29)
	PAIRS(Z14, Z15, Z30, Z31)
	FOURS(Z16, Z18, Z0, Z1)
	FOURS(Z17, Z19, Z2, Z3)
	FOURS(Z20, Z22, Z4, Z5)
	FOURS(Z21, Z23, Z6, Z7)
	FOURS(Z24, Z26, Z8, Z9)
	FOURS(Z25, Z27, Z10, Z11)
	FOURS(Z28, Z30, Z12, Z13)
	FOURS(Z29, Z31, Z14, Z15)
	COLUMNS(Z0, Z4, Z8, Z12)
	COLUMNS(Z1, Z5, Z9, Z13)
	COLUMNS(Z2, Z6, Z10, Z14)
	COLUMNS(Z3, Z7, Z11, Z15)

	VMOVDQU32 0(DI), Z16
	VMOVDQU32 64(DI), Z17
	VMOVDQU32 128(DI), Z18
	VMOVDQU32 192(DI), Z19
	VMOVDQU32 256(DI), Z20
	VMOVDQU32 320(DI), Z21
	VMOVDQU32 384(DI), Z22
	VMOVDQU32 448(DI), Z23
	LEAQ ·rounds(SB), AX
	MOVL $3, DX

sixteen:
	ROUND(Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, 0, Z0)
	NEXT(Z0, Z1, Z9, Z14)
	ROUND(Z23, Z16, Z17, Z18, Z19, Z20, Z21, Z22, 1, Z1)
	NEXT(Z1, Z2, Z10, Z15)
	ROUND(Z22, Z23, Z16, Z17, Z18, Z19, Z20, Z21, 2, Z2)
	NEXT(Z2, Z3, Z11, Z0)
	ROUND(Z21, Z22, Z23, Z16, Z17, Z18, Z19, Z20, 3, Z3)
	NEXT(Z3, Z4, Z12, Z1)
	ROUND(Z20, Z21, Z22, Z23, Z16, Z17, Z18, Z19, 4, Z4)
	NEXT(Z4, Z5, Z13, Z2)
	ROUND(Z19, Z20, Z21, Z22, Z23, Z16, Z17, Z18, 5, Z5)
	NEXT(Z5, Z6, Z14, Z3)
	ROUND(Z18, Z19, Z20, Z21, Z22, Z23, Z16, Z17, 6, Z6)
	NEXT(Z6, Z7, Z15, Z4)
	ROUND(Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z16, 7, Z7)
	NEXT(Z7, Z8, Z0, Z5)
	ROUND(Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, 8, Z8)
	NEXT(Z8, Z9, Z1, Z6)
	ROUND(Z23, Z16, Z17, Z18, Z19, Z20, Z21, Z22, 9, Z9)
	NEXT(Z9, Z10, Z2, Z7)
	ROUND(Z22, Z23, Z16, Z17, Z18, Z19, Z20, Z21, 10, Z10)
	NEXT(Z10, Z11, Z3, Z8)
	ROUND(Z21, Z22, Z23, Z16, Z17, Z18, Z19, Z20, 11, Z11)
	NEXT(Z11, Z12, Z4, Z9)
	ROUND(Z20, Z21, Z22, Z23, Z16, Z17, Z18, Z19, 12, Z12)
	NEXT(Z12, Z13, Z5, Z10)
	ROUND(Z19, Z20, Z21, Z22, Z23, Z16, Z17, Z18, 13, Z13)
	NEXT(Z13, Z14, Z6, Z11)
	ROUND(Z18, Z19, Z20, Z21, Z22, Z23, Z16, Z17, 14, Z14)
	NEXT(Z14, Z15, Z7, Z12)
	ROUND(Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z16, 15, Z15)
	NEXT(Z15, Z0, Z8, Z13)
	ADDQ $64, AX
	DECL DX
	JNZ sixteen
	ROUND(Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, 0, Z0)
	ROUND(Z23, Z16, Z17, Z18, Z19, Z20, Z21, Z22, 1, Z1)
	ROUND(Z22, Z23, Z16, Z17, Z18, Z19, Z20, Z21, 2, Z2)
	ROUND(Z21, Z22, Z23, Z16, Z17, Z18, Z19, Z20, 3, Z3)
	ROUND(Z20, Z21, Z22, Z23, Z16, Z17, Z18, Z19, 4, Z4)
	ROUND(Z19, Z20, Z21, Z22, Z23, Z16, Z17, Z18, 5, Z5)
	ROUND(Z18, Z19, Z20, Z21, Z22, Z23, Z16, Z17, 6, Z6)
	ROUND(Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z16, 7, Z7)
	ROUND(Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, 8, Z8)
	ROUND(Z23, Z16, Z17, Z18, Z19, Z20, Z21, Z22, 9, Z9)
	ROUND(Z22, Z23, Z16, Z17, Z18, Z19, Z20, Z21, 10, Z10)
	ROUND(Z21, Z22, Z23, Z16, Z17, Z18, Z19, Z20, 11, Z11)
	ROUND(Z20, Z21, Z22, Z23, Z16, Z17, Z18, Z19, 12, Z12)
	ROUND(Z19, Z20, Z21, Z22, Z23, Z16, Z17, Z18, 13, Z13)
	ROUND(Z18, Z19, Z20, Z21, Z22, Z23, Z16, Z17, 14, Z14)
	ROUND(Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z16, 15, Z15)
	VPADDD 0(DI), Z16, Z16
	VMOVDQU32 Z16, 0(DI)
	VPADDD 64(DI), Z17, Z17
	VMOVDQU32 Z17, 64(DI)
	VPADDD 128(DI), Z18, Z18
	VMOVDQU32 Z18, 128(DI)
	VPADDD 192(DI), Z19, Z19
	VMOVDQU32 Z19, 192(DI)
	VPADDD 256(DI), Z20, Z20
	VMOVDQU32 Z20, 256(DI)
	VPADDD 320(DI), Z21, Z21
	VMOVDQU32 Z21, 320(DI)
	VPADDD 384(DI), Z22, Z22
	VMOVDQU32 Z22, 384(DI)
	VPADDD 448(DI), Z23, Z23
	VMOVDQU32 Z23, 448(DI)
	ADDQ $64, BX
	DECQ CX
	JNZ block
	VZEROUPPER
	RET
