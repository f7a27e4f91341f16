//go:build !purego

#include "textflag.h"

// digest keeps the state in four rows, Y0 to Y3 for a, b, c and d of the
// specification (RFC 7693, 3.1), so that one G is four columns or four diagonals. What
// takes the time is the way from a row b to the next one, six steps of one cycle: so for the diagonals it is the other rows that
// are turned, each of which is ready early, and words of the message are added before b is there.

// G mixes with words x and y of the message.
#define G(x, y) \
	VPADDQ x, Y0, Y0; \
	VPADDQ Y1, Y0, Y0; \
	VPXORQ Y0, Y3, Y3; \
	VPRORQ $32, Y3, Y3; \
	VPADDQ Y3, Y2, Y2; \
	VPXORQ Y2, Y1, Y1; \
	VPRORQ $24, Y1, Y1; \
	VPADDQ y, Y0, Y0; \
	VPADDQ Y1, Y0, Y0; \
	VPXORQ Y0, Y3, Y3; \
	VPRORQ $16, Y3, Y3; \
	VPADDQ Y3, Y2, Y2; \
	VPXORQ Y2, Y1, Y1; \
	VPRORQ $63, Y1, Y1

// ROUND picks the words of round k from the block in Z16 and Z17, columns' first.
#define ROUND(k) \
	VMOVDQU64 (128*k)(DX), Z18; \
	VPERMI2Q Z17, Z16, Z18; \
	VEXTRACTI64X4 $1, Z18, Y19; \
	VMOVDQU64 (128*k+64)(DX), Z20; \
	VPERMI2Q Z17, Z16, Z20; \
	VEXTRACTI64X4 $1, Z20, Y21; \
	G(Y18, Y19); \
	VPERMQ $0x93, Y0, Y0; \
	VPERMQ $0x4e, Y3, Y3; \
	VPERMQ $0x39, Y2, Y2; \
	G(Y20, Y21); \
	VPERMQ $0x39, Y0, Y0; \
	VPERMQ $0x4e, Y3, Y3; \
	VPERMQ $0x93, Y2, Y2

// func digest(h *[8]uint64, order *[10][16]uint64, iv *[8]uint64, p *byte, n int)
TEXT ·digest(SB), NOSPLIT, $0-40
	MOVQ h+0(FP), DI
	MOVQ order+8(FP), DX
	MOVQ iv+16(FP), R8
	MOVQ p+24(FP), SI
	MOVQ n+32(FP), CX
	VMOVDQU64 (DI), Y8
	VMOVDQU64 32(DI), Y9
	VMOVDQU64 (R8), Y10
	VMOVDQU64 32(R8), Y11
	XORQ AX, AX            // bytes so far, this block's included
	VPXORQ Y13, Y13, Y13   // all ones in its third word for the last block
	MOVQ $-1, R9

next:
	CMPQ CX, $128
	JLE last
	VMOVDQU64 (SI), Z16
	VMOVDQU64 64(SI), Z17
	ADDQ $128, SI
	ADDQ $128, AX
	SUBQ $128, CX
	JMP rounds

last: // of which only what there is may be read
	BZHIQ CX, R9, R10
	KMOVQ R10, K1
	VMOVDQU8.Z (SI), K1, Z16
	MOVQ CX, R11
	SUBQ $64, R11
	JGE second
	XORQ R11, R11
second:
	BZHIQ R11, R9, R10
	KMOVQ R10, K2
	VMOVDQU8.Z 64(SI), K2, Z17
	ADDQ CX, AX
	XORQ CX, CX
	VMOVQ R9, X13
	VPERMQ $0x45, Y13, Y13 // its first word, which is at the third place now, and zeros

rounds:
	VMOVQ AX, X12
	VMOVDQA64 Y8, Y0
	VMOVDQA64 Y9, Y1
	VMOVDQA64 Y10, Y2
	VMOVDQA64 Y11, Y3
	VPTERNLOGQ $0x96, Y12, Y13, Y3
	ROUND(0)
	ROUND(1)
	ROUND(2)
	ROUND(3)
	ROUND(4)
	ROUND(5)
	ROUND(6)
	ROUND(7)
	ROUND(8)
	ROUND(9)
	ROUND(0)
	ROUND(1)
	VPTERNLOGQ $0x96, Y0, Y2, Y8
	VPTERNLOGQ $0x96, Y1, Y3, Y9
	TESTQ CX, CX
	JNZ next
	VMOVDQU64 Y8, (DI)
	VMOVDQU64 Y9, 32(DI)
	VZEROUPPER
	RET
