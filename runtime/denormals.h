/* denormals.h: numbers below the least normal one (FLT_MIN, 1.2e-38).
 *
 * Trainings are full of them: Adam's moments of weights that get no gradient decay by a tenth a
 * step, gradients of samples that are learned vanish. Processors that leave them to microcode need
 * more than 100 cycles for an operation (a step of models/mnist_mlp_batch_1.lua takes nine times as
 * long on Intel's), and nobody needs them: TensorFlow's threads count them as 0, too. */
#ifndef LATHE_DENORMALS_H
#define LATHE_DENORMALS_H

/** From now on operations of the calling thread, and of threads that it starts afterwards, take
 * denormal numbers for 0 and return 0 in their place, on x86 (MXCSR: FTZ and DAZ) and AArch64
 * (FPCR: FZ). Other processors: no effect. */
void denormals_flush(void);

#endif
