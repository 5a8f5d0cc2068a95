/* The piece as bytes of mbuild: MBUILD_ACCEL_PIECE is the path of the linked blob, MBUILD_ACCEL_BACK_LIBRARY
   that of the library. */
    .section .rodata
    .globl mbuild_accel_piece, mbuild_accel_piece_end
    .balign 16
mbuild_accel_piece:
    .incbin MBUILD_ACCEL_PIECE
mbuild_accel_piece_end:
    .byte 0
    .globl mbuild_accel_back, mbuild_accel_back_end
    .balign 16
mbuild_accel_back:
    .incbin MBUILD_ACCEL_BACK_LIBRARY
mbuild_accel_back_end:
    .byte 0
    .section .note.GNU-stack,"",%progbits
