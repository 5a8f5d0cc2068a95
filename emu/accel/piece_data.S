/* The piece as bytes of mbuild: MBUILD_ACCEL_PIECE is the path of the linked blob, MBUILD_ACCEL_PRELOAD_LIBRARY
   that of the library. */
    .section .rodata
    .globl mbuild_accel_piece, mbuild_accel_piece_end
    .balign 16
mbuild_accel_piece:
    .incbin MBUILD_ACCEL_PIECE
mbuild_accel_piece_end:
    .byte 0
    .globl mbuild_accel_preload, mbuild_accel_preload_end
    .balign 16
mbuild_accel_preload:
    .incbin MBUILD_ACCEL_PRELOAD_LIBRARY
mbuild_accel_preload_end:
    .byte 0
    .section .note.GNU-stack,"",%progbits
