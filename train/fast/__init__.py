"""The same training, faster on this machine.

`plan` chooses device, threads and precision, and `quickest(model)` is the one door to the rest: the same network with
the same parameters, whose layers are computed faster.

Why it is faster. Convolutions of 16 to 128 maps of 28 x 28 pixels compute little for each number that they read, and
what stands between them, BatchNorm, ReLU, pooling and dropout, computes next to nothing: its time goes into reading all
feature maps from memory and writing them back. torch does so once for each layer, forward and backward. Here
neighbours are fused, one pass of C++ (`native`) over the maps: the first convolution with ReLU and pooling, whose maps
before pooling are never written; 3 x 3 convolution with ReLU and pooling; BatchNorm with ReLU and pooling; a linear
layer with flattening and ReLU, on processors that multiply in bfloat16. Dropout is computed from a seed and the place
of each number, so that no mask is kept.

Winograd's method, for 3 x 3 convolutions, in one dimension. Two neighbouring results of a filter g on inputs d are

    r0 = d0 g0 + d1 g1 + d2 g2        r1 = d1 g0 + d2 g1 + d3 g2

which is six products. Four are enough:

    m0 = (d0 - d2) g0                 m1 = (d1 + d2) (g0 + g1 + g2) / 2
    m3 = (d1 - d3) g2                 m2 = (d2 - d1) (g0 - g1 + g2) / 2
    r0 = m0 + m1 + m2                 r1 = m1 - m2 - m3

Sums of g are made once for a batch, sums of d once for all filters. In two dimensions, along rows and then columns,
2 x 2 results take 16 products instead of 36: 2.25 times fewer (Lavin and Gray, 2015; see native/tiles.h).

torch's own layers are used on GPUs, without a C++ compiler, with DIGITS_AND_SIGNS_FUSED=0, for networks of fewer than
16 channels, for layers of other kinds, and where torch's are as fast: 3 x 3 convolution without OpenMP, and whatever
is multiplied in bfloat16 on processors with AMX. A run's layers are chosen when it begins and stay, as the two round
differently: a seed gives the same bits again with the same layers, threads and precision.

What it is worth: how much longer a training step takes without each, in float32 on one thread of an AMD EPYC with AVX2
(torch 2.14; medians of 22 interleaved rounds, in which the same step against itself gives 0.99 to 1.00; the step itself
takes 20, 28, 120, 22 and 42 ms):

    without                   mnist lesson  sprint  best    asl lesson  best
    first convolution                  24%      -     -              -     -
    Winograd's convolution             39%    10%   36%            15%   14%
    BatchNorm, ReLU, pooling             -     8%    5%            11%   10%
    dropout                              -      -     -            13%   13%
    all of them                        58%    22%   39%            38%   40%

Read in this order: machine, compiler, library, functions, layers.
"""

from train.fast.layers import is_fused, quickest

__all__ = ["is_fused", "quickest"]
