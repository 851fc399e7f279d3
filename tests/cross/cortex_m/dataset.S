/* The images and labels of the data set, one byte a pixel and a label. */
    .section .dataset, "a"
    .global images, labels
images:
    .incbin "images.bin"
labels:
    .incbin "labels.bin"
#ifdef __linux__
    .section .note.GNU-stack, "", %progbits
#endif
