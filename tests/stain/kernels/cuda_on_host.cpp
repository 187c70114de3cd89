// The kernels of macenko.cu as functions of a shared library: launch configuration, then arguments.

// clang-format off: the second needs the first.
#include "cuda_on_host.h"
#include "macenko.cu"

namespace {

struct Launch {
    unsigned blocks, threads, shared_bytes;
};

template <class Kernel, class... Arguments>
void run(Launch at, Kernel kernel, Arguments... arguments) {
    host_cuda::launch(at.blocks, at.threads, at.shared_bytes, [=] { kernel(arguments...); });
}

}  // namespace

extern "C" {

void host_set_reversed(int reversed) { host_cuda::reversed = reversed; }
int host_state_bytes() { return sizeof(State); }
int host_constants_bytes() { return sizeof(Constants); }
int host_bins() { return BINS; }
int host_work_bytes() { return sizeof(Work); }

void host_normalize_tiles(
    unsigned blocks, unsigned threads, unsigned shared, const u8* tiles, const u8* masks,
    const Constants* constants, long long per_tile, State* states, u8* out) {
    run({blocks, threads, shared}, normalize_tiles, tiles, masks, constants, per_tile, states, out);
}

void host_sum_tissue(
    unsigned blocks, unsigned threads, unsigned shared, const u8* tiles, const u8* masks,
    const Constants* constants, long long per_tile, int chunks, int chunk_px, double* partial) {
    run({blocks, threads, shared}, sum_tissue, tiles, masks, constants, per_tile, chunks, chunk_px,
        partial);
}

void host_find_planes(
    unsigned blocks, unsigned threads, unsigned shared, const Constants* constants, long long per_tile,
    int chunks, const double* partial, State* states) {
    run({blocks, threads, shared}, find_planes, constants, per_tile, chunks, partial, states);
}

void host_count_keys_of(
    unsigned blocks, unsigned threads, unsigned shared, const u8* tiles, const u8* masks,
    const Constants* constants, long long per_tile, int chunks, int chunk_px, int kind, int within,
    State* states, u32* histograms) {
    run({blocks, threads, shared}, count_keys_of, tiles, masks, constants, per_tile, chunks, chunk_px,
        kind, within, states, histograms);
}

void host_pick_keys(
    unsigned blocks, unsigned threads, unsigned shared, const Constants* constants, long long per_tile,
    int kind, int within, int judge, State* states, u32* histograms) {
    run({blocks, threads, shared}, pick_keys, constants, per_tile, kind, within, judge, states,
        histograms);
}

void host_apply_matrices(
    unsigned blocks, unsigned threads, unsigned shared, const u8* tiles, const u8* masks,
    const Constants* constants, long long per_tile, int chunks, int chunk_px,
    int matrix_stride, int flag_stride, const double* matrices, const long long* used, u64* clipped,
    u8* out) {
    run({blocks, threads, shared}, apply_matrices, tiles, masks, constants, per_tile, chunks, chunk_px,
        matrix_stride, flag_stride, matrices, used, clipped, out);
}

void host_judge_output(
    unsigned blocks, unsigned threads, unsigned shared, const Constants* constants, int tiles,
    State* states) {
    run({blocks, threads, shared}, judge_output, constants, tiles, states);
}
}
