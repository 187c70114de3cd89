// Just enough of CUDA to run a kernel's own source on the CPU, one block at a time.
//
// Each thread of a block is a fiber. A fiber runs until it waits: for the block in __syncthreads(), for its
// warp in a shuffle or a ballot. The order in which fibers are resumed can be reversed; a kernel that
// lacks a barrier then gives another result.
#pragma once

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <functional>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __noinline__
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __shared__ static
#define __launch_bounds__(...)
#define DYNAMIC_SHARED(name) unsigned char* name = host_cuda::dynamic_shared

struct uint4 {
    unsigned x, y, z, w;
};
struct Index {
    unsigned x;
};
inline Index threadIdx, blockIdx, blockDim;

namespace host_cuda {

constexpr int MAXIMUM_THREADS = 1024;
constexpr size_t STACK_BYTES = 64 * 1024;

// A place where `members` fibers meet.
struct Meeting {
    int members = 0, arrived = 0;
    unsigned generation = 0;

    void pass_if_complete() {
        if (members && arrived == members) {
            arrived = 0;
            ++generation;
        }
    }
};

struct Fiber {
    std::vector<char> stack;
    jmp_buf state;
    bool started, finished;
};

inline unsigned char* dynamic_shared;
inline std::vector<Fiber> fibers(MAXIMUM_THREADS);
inline Meeting block_meeting, warp_meeting[MAXIMUM_THREADS / 32];
inline unsigned long long exchanged[MAXIMUM_THREADS];
inline std::function<void()> body;
inline jmp_buf scheduler;
inline bool reversed;
inline unsigned long long steps;

inline void wait_turn() {
    const unsigned self = threadIdx.x;
    if (!_setjmp(fibers[self].state)) _longjmp(scheduler, 1);
}

inline void meet(Meeting& meeting) {
    const unsigned before = meeting.generation;
    ++meeting.arrived;
    ++steps;
    meeting.pass_if_complete();
    while (meeting.generation == before) wait_turn();
}

inline void start_fiber() {
    body();
    fibers[threadIdx.x].finished = true;
    ++steps;
    for (Meeting* meeting : {&block_meeting, &warp_meeting[threadIdx.x / 32]}) {
        --meeting->members;
        meeting->pass_if_complete();
    }
    _longjmp(scheduler, 1);
}

// noinline: what it keeps in registers must not outlive the jumps.
__attribute__((noinline)) inline void resume(unsigned thread) {
    Fiber& fiber = fibers[thread];
    threadIdx.x = thread;
    if (_setjmp(scheduler)) return;
    if (fiber.started) _longjmp(fiber.state, 1);
    fiber.started = true;
    fiber.stack.resize(STACK_BYTES);
    static ucontext_t start;
    getcontext(&start);
    start.uc_stack.ss_sp = fiber.stack.data();
    start.uc_stack.ss_size = STACK_BYTES;
    start.uc_link = nullptr;
    makecontext(&start, start_fiber, 0);
    setcontext(&start);
}

inline void launch(unsigned blocks, unsigned threads, size_t shared_bytes, std::function<void()> kernel) {
    // Larger than asked for, and full of what no kernel may rely on.
    std::vector<unsigned char> arena(shared_bytes + 64);
    dynamic_shared = arena.data() + (64 - reinterpret_cast<size_t>(arena.data()) % 64) % 64;
    body = kernel;
    blockDim.x = threads;
    for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
        memset(arena.data(), 0xa5, arena.size());
        block_meeting = Meeting{int(threads)};
        for (unsigned warp = 0; warp < threads / 32; ++warp) warp_meeting[warp] = Meeting{32};
        for (unsigned i = 0; i < threads; ++i) fibers[i].started = fibers[i].finished = false;
        for (bool running = true; running;) {
            running = false;
            const unsigned long long before = steps;
            for (unsigned i = 0; i < threads; ++i) {
                const unsigned thread = reversed ? threads - 1 - i : i;
                if (fibers[thread].finished) continue;
                running = true;
                resume(thread);
            }
            if (running && steps == before) {
                fprintf(stderr, "deadlock: some threads never reach a barrier\n");
                abort();
            }
        }
    }
}

template <class Value>
Value exchange(Value value, unsigned source_lane) {
    Meeting& warp = warp_meeting[threadIdx.x / 32];
    memcpy(&exchanged[threadIdx.x], &value, sizeof value);
    meet(warp);
    memcpy(&value, &exchanged[threadIdx.x / 32 * 32 + source_lane], sizeof value);
    meet(warp);
    return value;
}

}  // namespace host_cuda

inline void __syncthreads() { host_cuda::meet(host_cuda::block_meeting); }

template <class Value>
Value __shfl_sync(unsigned, Value value, int lane) {
    return host_cuda::exchange(value, lane & 31);
}
template <class Value>
Value __shfl_down_sync(unsigned, Value value, int offset) {
    const int lane = threadIdx.x & 31;
    return host_cuda::exchange(value, lane + offset < 32 ? lane + offset : lane);
}
template <class Value>
Value __shfl_up_sync(unsigned, Value value, int offset) {
    const int lane = threadIdx.x & 31;
    return host_cuda::exchange(value, lane >= offset ? lane - offset : lane);
}
inline unsigned __ballot_sync(unsigned, bool condition) {
    host_cuda::Meeting& warp = host_cuda::warp_meeting[threadIdx.x / 32];
    host_cuda::exchanged[threadIdx.x] = condition;
    host_cuda::meet(warp);
    unsigned bits = 0;
    for (unsigned lane = 0; lane < 32; ++lane)
        bits |= unsigned(host_cuda::exchanged[threadIdx.x / 32 * 32 + lane]) << lane;
    host_cuda::meet(warp);
    return bits;
}

template <class Value>
Value atomicAdd(Value* address, Value value) {
    const Value before = *address;
    *address += value;
    return before;
}
template <class Value>
Value atomicMin(Value* address, Value value) {
    const Value before = *address;
    if (value < before) *address = value;
    return before;
}

inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __ffs(unsigned bits) { return __builtin_ffs(int(bits)); }
inline float __saturatef(float value) { return fminf(fmaxf(value, 0), 1); }
inline unsigned __float_as_uint(float value) {
    unsigned bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
    const unsigned long long both = (unsigned long long)b << 32 | a;
    unsigned result = 0;
    for (int i = 0; i < 4; ++i)
        result |= unsigned(both >> (8 * (selector >> (4 * i) & 7)) & 255) << (8 * i);
    return result;
}
inline double cospi(double x) { return cos(x * M_PI); }
inline void sincospi(double x, double* sine, double* cosine) {
    *sine = sin(x * M_PI);
    *cosine = cos(x * M_PI);
}
