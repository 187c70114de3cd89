// Macenko's stain normalization of 8-bit tiles (N, 3, H, W) in fused kernels.
//
// histocli/stain/macenko.py, pixels.py, matching.py and normalizer.py define what is computed here;
// cuda.py holds the host's half, and mirrors the structures Constants and State.
//
// normalize_tiles does everything for one tile in one block: the tile is read once into shared memory,
// transformed there and written once. Tiles too large for that go through sum_tissue, find_planes,
// count_keys_of, pick_keys (both twice for the angle, twice for the concentrations), apply_matrices and
// judge_output, which share the device functions below; a block then works on a chunk of a tile.
//
// Nothing depends on the order in which blocks or warps run: floating-point sums are trees of fixed
// shape, and only integers are added atomically. A tile gives the same bytes alone and in a batch.
//
// Percentiles need no sort. A value becomes a key of 2 * HALF_BITS bits, fixed point over a range known
// beforehand; a histogram of the upper half finds the bins of the wanted ranks, a second one of the lower
// half within those bins finds the keys. Both histograms of both stains fit 16 KB, so that four blocks of
// 96x96 tiles share a multiprocessor. The keys' step is 1e-6 of a radian, and of a typical concentration.

#ifndef DYNAMIC_SHARED
#define DYNAMIC_SHARED(name) extern __shared__ __align__(16) unsigned char name[]
#endif

using u8 = unsigned char;
using u32 = unsigned int;
using u64 = unsigned long long;

constexpr int HALF_BITS = 11;
constexpr int BINS = 1 << HALF_BITS;
constexpr u32 LAST_KEY = (1u << (2 * HALF_BITS)) - 1;
constexpr u32 ALL_LANES = 0xffffffffu;
constexpr float LEAST_PROJECTION = 1e-4f;  // as in pixels.py
constexpr double PI = 3.14159265358979323846;

// What becomes a key: the angle of tissue pixels in the plane, or both concentrations of all pixels.
enum Kind { ANGLE, CONCENTRATIONS };
enum MaskRule { ALL_DARK, ANY_DARK, GIVEN };
enum Status { OK, BLANK, LOW_TISSUE, SINGLE_STAIN, ILL_CONDITIONED, CLIPPED };

struct Settings {
    double angle_percentile, concentration_percentile, transmitted_light;
    double least_density, greatest_density;
    // Guards of histocli/stain/status.py.
    double tissue_fraction, tissue_pixels, stain_angle, widest_angle;
    double eigenvalue_ratio, concentration_scale;
    double blank_fraction, doubtful_angle, doubtful_scale, clipped_fraction;
    double reference[3][2], reference_maxima[2];
    long long tissue_grey, mask_rule;
};

struct Constants {
    Settings settings;
    double density[256];
};

// All that is known of one tile. 8-byte fields, so that the host sees columns of (N, STATE_WORDS).
struct State {
    double total[10];  // of tissue: count; sums r, g, b; sums of products rr, rg, rb, gg, gb, bb
    double rows[2][3];  // of the plane, then of the least-squares concentrations
    double levels[2];  // percentiles wanted
    double values[2];  // percentiles found
    double stains[3][2], maxima[2];
    double fraction, angle, ratio, scale;
    double matrix[9];  // on the optical density
    long long status, usable, used, clipped;
    double low[2], step[2];  // a value is low + step * key
    u32 bins[4], ranks[4];  // of the keys wanted: below and above each fractional rank
    u32 least[2];  // smallest key of the bin above, where that is another bin
};

struct Work {
    u32 histogram[2 * BINS];
    u32 segments[2][32];
    double partial[32][10];
    double ends[4];
    State state;
    u32 clipped;
};

struct Rule {
    int kind, grey;
};

// Pixels in shared memory: three planes of 32-bit words, four pixels a word.
struct Pixels {
    u32* words;
    int stride, count;
    const u8* mask;
};

// ---------------------------------------------------------------------------------------------------
// Lanes and warps

__device__ __forceinline__ int lane_index() { return threadIdx.x & 31; }
__device__ __forceinline__ int warp_index() { return threadIdx.x >> 5; }

template <class Number>
__device__ __forceinline__ Number warp_sum(Number value) {
    for (int offset = 16; offset > 0; offset >>= 1)
        value += __shfl_down_sync(ALL_LANES, value, offset);
    return value;
}

// Sum over this lane and those before it.
__device__ __forceinline__ u32 sum_through(u32 value) {
    for (int offset = 1; offset < 32; offset <<= 1) {
        const u32 other = __shfl_up_sync(ALL_LANES, value, offset);
        if (lane_index() >= offset) value += other;
    }
    return value;
}

__device__ __forceinline__ int first_lane(bool condition) {
    const u32 lanes = __ballot_sync(ALL_LANES, condition);
    return lanes ? __ffs(lanes) - 1 : 31;
}

__device__ __forceinline__ float exp2_fast(float x) {
#ifdef __CUDA_ARCH__
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return exp2f(x);
#endif
}

__device__ __forceinline__ float reciprocal_fast(float x) {
#ifdef __CUDA_ARCH__
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return 1 / x;
#endif
}

// A whole number from 0 to 2^23 - 1 in the low bits: share * whole, rounded half to even. The share is cut
// to 0 and 1. On the multiply-add units; a conversion would take scarcer ones.
__device__ __forceinline__ u32 whole_part(float share, float whole) {
    return __float_as_uint(fmaf(__saturatef(share), whole, 8388608.0f));
}

// The optical density of 256 grey levels in shared memory, on a boundary of 1024 bytes: an address is
// then one shift and one bitwise operation on a word of four grey levels.
#define SHARED_DENSITY(name) __shared__ __align__(1024) float name[256]

class Table {
  public:
#ifdef __CUDA_ARCH__
    __device__ __forceinline__ explicit Table(const float* shared)
        : base(u32(__cvta_generic_to_shared(shared))) {
        asm("" : "+r"(base));  // kept in a register, not computed anew at each use
    }

    __device__ __forceinline__ float at(u32 word, int k) const {
        float value;
        asm("ld.shared.f32 %0, [%1];" : "=f"(value) : "r"(offset(word, k) | base));
        return value;
    }

  private:
    u32 base;
#else
    explicit Table(const float* shared) : base(shared) {}
    float at(u32 word, int k) const { return base[offset(word, k) / 4]; }

  private:
    const float* base;
#endif
    __device__ __forceinline__ static u32 offset(u32 word, int k) {
        return (k == 0 ? word << 2 : word >> (8 * k - 2)) & 0x3fcu;
    }
};

// ---------------------------------------------------------------------------------------------------
// Memory

template <class Word>
__device__ __forceinline__ void copy_words(
    const u8* __restrict__ from, u8* __restrict__ to, int bytes) {
    const Word* __restrict__ source = reinterpret_cast<const Word*>(from);
    Word* __restrict__ target = reinterpret_cast<Word*>(to);
    const int words = bytes / int(sizeof(Word));
#pragma unroll 4
    for (int i = threadIdx.x; i < words; i += blockDim.x) target[i] = source[i];
}

// In the widest words that both addresses and the length allow.
__device__ __forceinline__ void copy_bytes(
    const u8* __restrict__ from, u8* __restrict__ to, int bytes) {
    const size_t misfit = size_t(from) | size_t(to) | size_t(bytes);
    if (misfit % 16 == 0) copy_words<uint4>(from, to, bytes);
    else if (misfit % 4 == 0) copy_words<u32>(from, to, bytes);
    else copy_words<u8>(from, to, bytes);
}

// Bring `count` pixels of each plane into shared memory; the caller synchronizes.
__device__ __forceinline__ Pixels load_pixels(
    u8* arena, const u8* tile, const u8* mask, long long pixels, long long start, int count) {
    const int stride = (count + 15) / 16 * 16;
    for (int channel = 0; channel < 3; ++channel)
        copy_bytes(tile + channel * pixels + start, arena + channel * stride, count);
    return Pixels{reinterpret_cast<u32*>(arena), stride / 4, count, mask ? mask + start : nullptr};
}

__device__ __forceinline__ void store_pixels(
    const Pixels& pixels, u8* tile, long long per_tile, long long start) {
    const u8* arena = reinterpret_cast<const u8*>(pixels.words);
    for (int channel = 0; channel < 3; ++channel)
        copy_bytes(arena + channel * pixels.stride * 4, tile + channel * per_tile + start, pixels.count);
}

__device__ __forceinline__ void load_density(float* density, const Constants& constants) {
    for (int grey = threadIdx.x; grey < 256; grey += blockDim.x)
        density[grey] = float(constants.density[grey]);
}

__device__ __forceinline__ Rule rule_of(const Settings& settings) {
    return Rule{int(settings.mask_rule), int(settings.tissue_grey)};
}

__device__ __forceinline__ void clear_histogram(u32* histogram) {
    for (int bin = threadIdx.x; bin < 2 * BINS; bin += blockDim.x) histogram[bin] = 0;
}

// ---------------------------------------------------------------------------------------------------
// Passes over the pixels, four at a time

// One bit for each of the four pixels that exist: the last word may hold fewer.
__device__ __forceinline__ u32 existing_bits(const Pixels& pixels, int quad) {
    const int left = pixels.count - 4 * quad;
    return left >= 4 ? 15u : (1u << left) - 1;
}

// One bit for each tissue pixel. Two bytes at a time: a grey level above the rule's carries into bit 8 of
// its half word.
__device__ __forceinline__ u32 tissue_bits(
    const Pixels& pixels, int quad, u32 red, u32 green, u32 blue, Rule rule) {
    if (rule.kind == GIVEN) {
        u32 bits = 0;
        for (int k = 0; k < 4; ++k)
            if (4 * quad + k < pixels.count && pixels.mask[4 * quad + k]) bits |= 1u << k;
        return bits;
    }
    const u32 carry = u32(255 - rule.grey) * 0x00010001u, bytes = 0x00ff00ffu;
    const u32 r0 = (red & bytes) + carry, r1 = (red >> 8 & bytes) + carry;
    const u32 g0 = (green & bytes) + carry, g1 = (green >> 8 & bytes) + carry;
    const u32 b0 = (blue & bytes) + carry, b1 = (blue >> 8 & bytes) + carry;
    const bool any = rule.kind == ANY_DARK;
    const u32 even = any ? r0 & g0 & b0 : r0 | g0 | b0;  // pixels 0 and 2 are bright
    const u32 odd = any ? r1 & g1 & b1 : r1 | g1 | b1;
    const u32 pairs = (even >> 8 & 0x00010001u) | (odd >> 7 & 0x00020002u);
    return ~(pairs | pairs >> 14) & existing_bits(pixels, quad);
}

// Count, sums and products of tissue. Products of two floats are exact in doubles.
__device__ __forceinline__ void sum_tissue_of(
    const Pixels& pixels, Table density, Rule rule, double (&sums)[10]) {
    for (int quad = threadIdx.x; 4 * quad < pixels.count; quad += blockDim.x) {
        const u32 red = pixels.words[quad];
        const u32 green = pixels.words[pixels.stride + quad];
        const u32 blue = pixels.words[2 * pixels.stride + quad];
        const u32 tissue = tissue_bits(pixels, quad, red, green, blue, rule);
        if (tissue == 0) continue;
        sums[0] += __popc(tissue);
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            if (!(tissue >> k & 1u)) continue;
            const double r = density.at(red, k);
            const double g = density.at(green, k);
            const double b = density.at(blue, k);
            sums[1] += r;
            sums[2] += g;
            sums[3] += b;
            sums[4] += r * r;
            sums[5] += r * g;
            sums[6] += r * b;
            sums[7] += g * g;
            sums[8] += g * b;
            sums[9] += b * b;
        }
    }
}

// Ends synchronized, with the block's sums in `total`.
__device__ __forceinline__ void block_sums(const double (&own)[10], Work& work, double* total) {
#pragma unroll
    for (int i = 0; i < 10; ++i) {
        const double sum = warp_sum(own[i]);
        if (lane_index() == 0) work.partial[warp_index()][i] = sum;
    }
    __syncthreads();
    if (threadIdx.x < 10) {
        double sum = 0;
        for (int warp = 0; warp < int(blockDim.x) / 32; ++warp) sum += work.partial[warp][threadIdx.x];
        total[threadIdx.x] = sum;
    }
    __syncthreads();
}

// The key of a value's position, 0 to 1, in its range.
__device__ __forceinline__ u32 key_of(float position) {
    return whole_part(position, float(LAST_KEY)) & LAST_KEY;
}

// Pseudo-angle y / (|x| + |y|), continued over the circle from -2 to 2; it grows with the angle.
__device__ __forceinline__ u32 angle_key(float x, float y) {
    const float size = fabsf(x) + fabsf(y);
    if (size < LEAST_PROJECTION) return key_of(0.5f);  // the angle of a rounding error is none
    const float slope = y * reciprocal_fast(size);
    const float turn = x < 0.0f ? copysignf(2.0f, y) - slope : slope;
    return key_of(fmaf(turn, 0.25f, 0.5f));
}

__device__ double angle_of(u32 key) {
    const double turn = key * (4.0 / LAST_KEY) - 2;
    const bool ahead = fabs(turn) <= 1;
    const double slope = ahead ? turn : copysign(2.0, turn) - turn;
    const double along = 1 - fabs(slope);
    return atan2(slope, ahead ? along : -along);
}

// `bins`: of the ranks below and above a percentile. The upper one is the next that holds anything, so its
// smallest key is the one wanted.
__device__ __forceinline__ void count_within(
    const u32* bins, u32 key, u32* histogram, u32* least) {
    const u32 bin = key >> HALF_BITS;
    if (bin == bins[0]) atomicAdd(&histogram[key & (BINS - 1)], 1u);
    else if (bin == bins[1]) atomicMin(least, key);
}

// Histograms of the keys' upper halves, or of their lower halves within the bins wanted.
template <int KIND, bool WITHIN>
__device__ __forceinline__ void count_keys(
    const Pixels& pixels, Work& work, Table density, Rule rule) {
    State& state = work.state;
    const u32 bins[4] = {state.bins[0], state.bins[1], state.bins[2], state.bins[3]};
    float rows[2][3], start[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const double scale = KIND == ANGLE ? 1.0 : 1 / (state.step[i] * LAST_KEY);
        for (int c = 0; c < 3; ++c) rows[i][c] = float(state.rows[i][c] * scale);
        start[i] = KIND == ANGLE ? 0.0f : float(-state.low[i] * scale);
    }
    for (int quad = threadIdx.x; 4 * quad < pixels.count; quad += blockDim.x) {
        const u32 red = pixels.words[quad];
        const u32 green = pixels.words[pixels.stride + quad];
        const u32 blue = pixels.words[2 * pixels.stride + quad];
        const u32 counted = KIND == ANGLE ? tissue_bits(pixels, quad, red, green, blue, rule)
                                          : existing_bits(pixels, quad);
        if (KIND == ANGLE && counted == 0) continue;
        u32 keys[4][2];
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            const float r = density.at(red, k);
            const float g = density.at(green, k);
            const float b = density.at(blue, k);
            float value[2];
#pragma unroll
            for (int i = 0; i < 2; ++i)
                value[i] = fmaf(rows[i][0], r, fmaf(rows[i][1], g, fmaf(rows[i][2], b, start[i])));
            keys[k][0] = KIND == ANGLE ? angle_key(value[0], value[1]) : key_of(value[0]);
            keys[k][1] = KIND == ANGLE ? keys[k][0] : key_of(value[1]);
        }
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            if (!(counted >> k & 1u)) continue;
            if (WITHIN) {
                count_within(bins, keys[k][0], work.histogram, &state.least[0]);
                count_within(bins + 2, keys[k][1], work.histogram + BINS, &state.least[1]);
            } else {
                atomicAdd(&work.histogram[keys[k][0] >> HALF_BITS], 1u);
                if (KIND == CONCENTRATIONS)
                    atomicAdd(&work.histogram[BINS + (keys[k][1] >> HALF_BITS)], 1u);
            }
        }
    }
}

// The low bytes of four words.
__device__ __forceinline__ u32 pack(const u32 (&low)[4]) {
    return __byte_perm(
        __byte_perm(low[0], low[1], 0x0040), __byte_perm(low[2], low[3], 0x0040), 0x5410);
}

// Carry the pixels through the tile's matrix, in place. Returns this thread's tissue pixels that left the
// 8-bit range: light below 0.5 or above 255.5.
__device__ __forceinline__ u32 transform(
    const Pixels& pixels, Table density, Rule rule, const double* matrix, double light) {
    constexpr double LOG2_E = 1.44269504088896340736;
    // Powers of two: of the light over 255, of the range's middle, and from there to its ends.
    const float glass = float(log2(light / 255));
    const float middle = float(log2(sqrt(0.5 * 255.5) / 255)), reach = float(log2(511.0) / 2);
    float rows[3][3];
#pragma unroll
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) rows[i][j] = float(-LOG2_E * matrix[3 * i + j]);
    u32 clipped = 0;
    for (int quad = threadIdx.x; 4 * quad < pixels.count; quad += blockDim.x) {
        u32 words[3], out[3][4], outside = 0;
        for (int c = 0; c < 3; ++c) words[c] = pixels.words[c * pixels.stride + quad];
        const u32 tissue = tissue_bits(pixels, quad, words[0], words[1], words[2], rule);
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            const float r = density.at(words[0], k);
            const float g = density.at(words[1], k);
            const float b = density.at(words[2], k);
            bool lost = false;
#pragma unroll
            for (int i = 0; i < 3; ++i) {
                const float power =
                    fmaf(rows[i][0], r, fmaf(rows[i][1], g, fmaf(rows[i][2], b, glass)));
                lost = lost || fabsf(power - middle) > reach;
                out[i][k] = whole_part(exp2_fast(power), 255.0f);
            }
            outside |= u32(lost) << k;
        }
        clipped += __popc(tissue & outside);
        for (int c = 0; c < 3; ++c) pixels.words[c * pixels.stride + quad] = pack(out[c]);
    }
    return clipped;
}

// ---------------------------------------------------------------------------------------------------
// Order statistics

struct Found {
    u32 bin, rank;
};

// The bin that holds a rank, and the rank within it. A whole warp calls this.
__device__ __forceinline__ Found find_rank(const u32* histogram, const u32* segments, u32 rank) {
    const int warps = blockDim.x / 32, lane = lane_index();
    const int width = BINS / warps, share = width / 32;
    u32 own = lane < warps ? segments[lane] : 0;
    u32 through = sum_through(own);
    const int segment = first_lane(through > rank);
    u32 before = __shfl_sync(ALL_LANES, through - own, segment);
    const u32* bins = histogram + segment * width;
    own = 0;
    for (int i = 0; i < share; ++i) own += bins[lane * share + i];
    through = before + sum_through(own);
    const int holder = first_lane(through > rank);
    before = __shfl_sync(ALL_LANES, through - own, holder);
    int bin = holder * share;
    for (int i = 1; i < share && before + bins[bin] <= rank; ++i) before += bins[bin++];
    return Found{u32(segment * width + bin), rank - before};
}

// Where percentiles lie: first the bins, then, `within` them, the values. Ends synchronized.
template <int KIND>
__device__ __forceinline__ void pick(
    const u32* histograms, Work& work, double population, bool within) {
    State& state = work.state;
    const int warps = blockDim.x / 32, width = BINS / warps;
    for (int which = 0; which < 2; ++which) {
        u32 sum = 0;
        for (int i = lane_index(); i < width; i += 32)
            sum += histograms[which * BINS + warp_index() * width + i];
        sum = warp_sum(sum);
        if (lane_index() == 0) work.segments[which][warp_index()] = sum;
    }
    __syncthreads();
    const int target = warp_index(), which = target >> 1;
    if (target < 4) {
        const double exact = fmax(population - 1, 0.0) * (state.levels[which] / 100);
        const u32 wanted = u32(target & 1 ? ceil(exact) : floor(exact));
        const int histogram = KIND == ANGLE && !within ? 0 : which;
        const Found found = find_rank(
            histograms + histogram * BINS, work.segments[histogram],
            within ? state.ranks[target] : wanted);
        const bool elsewhere = within && (target & 1) && state.bins[target] != state.bins[target - 1];
        if (lane_index() == 0 && within) {
            const u32 key = elsewhere ? state.least[which] : state.bins[target] << HALF_BITS | found.bin;
            work.ends[target] =
                KIND == ANGLE ? angle_of(key) : state.low[which] + state.step[which] * key;
        } else if (lane_index() == 0) {
            state.bins[target] = found.bin;
            state.ranks[target] = found.rank;
            state.least[which] = LAST_KEY;
        }
    }
    __syncthreads();
    if (within && threadIdx.x < 2) {
        const double exact = fmax(population - 1, 0.0) * (state.levels[threadIdx.x] / 100);
        const double below = work.ends[2 * threadIdx.x], above = work.ends[2 * threadIdx.x + 1];
        const double between = below + (above - below) * (exact - floor(exact));
        state.values[threadIdx.x] = population > 0 ? between : 0;
    }
    __syncthreads();
}

// Percentiles of a tile that lies in shared memory as a whole. Ends synchronized.
template <int KIND>
__device__ __forceinline__ void select(
    const Pixels& pixels, Work& work, Table density, Rule rule, double population) {
    clear_histogram(work.histogram);
    __syncthreads();
    count_keys<KIND, false>(pixels, work, density, rule);
    __syncthreads();
    pick<KIND>(work.histogram, work, population, false);
    clear_histogram(work.histogram);
    __syncthreads();
    count_keys<KIND, true>(pixels, work, density, rule);
    __syncthreads();
    pick<KIND>(work.histogram, work, population, true);
}

// ---------------------------------------------------------------------------------------------------
// The maths on a few numbers per tile, by one thread

// The status, and whether the estimate may be used, of what is known so far. Fields of the state that are
// not yet known hold values that no guard objects to.
__device__ __noinline__ void decide(State& state, const Settings& guards) {
    const bool low =
        state.fraction < guards.tissue_fraction || state.total[0] < guards.tissue_pixels;
    const bool distinct =
        state.angle >= guards.stain_angle && state.ratio >= guards.eigenvalue_ratio;
    const bool doubtful = !distinct || state.angle < guards.doubtful_angle;
    const bool positive = state.maxima[0] > 0 && state.maxima[1] > 0 &&
                          isfinite(state.maxima[0]) && isfinite(state.maxima[1]) &&
                          state.angle <= guards.widest_angle;
    const double clipped = state.clipped / fmax(state.total[0], 1.0);
    state.usable = distinct && positive && !low;
    state.used = state.usable && state.scale <= guards.concentration_scale &&
                 !(state.fraction < guards.blank_fraction);
    state.status = OK;
    if (state.fraction < guards.blank_fraction) state.status = BLANK;
    else if (low) state.status = LOW_TISSUE;
    else if (doubtful) state.status = SINGLE_STAIN;
    else if (!positive) state.status = ILL_CONDITIONED;
    else if (state.usable && state.scale > guards.doubtful_scale) state.status = ILL_CONDITIONED;
    else if (state.used && clipped > guards.clipped_fraction) state.status = CLIPPED;
}

__device__ __forceinline__ double dot(const double* a, const double* b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

__device__ __forceinline__ void cross(const double* a, const double* b, double* out) {
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

// Unit eigenvector of the smallest eigenvalue of a symmetric matrix given as rr, rg, rb, gg, gb, bb, and
// the second eigenvalue over the first. The third axis where the smallest is not distinct.
__device__ __forceinline__ double smallest_axis(const double (&m)[6], double* axis) {
    const double center = (m[0] + m[3] + m[5]) / 3;
    const double a = m[0] - center, b = m[3] - center, c = m[5] - center;
    const double d = m[1], e = m[2], f = m[4];
    const double squares = (a * a + b * b + c * c + 2 * (d * d + e * e + f * f)) / 6;
    const double radius = sqrt(squares);
    const double determinant = a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e);
    const double cosine = squares > 0 ? determinant / (2 * radius * radius * radius) : 0;
    const double limit = 1 - 1e-15;
    const double third = acos(fmin(fmax(cosine, -limit), limit)) / (3 * PI);
    const double largest = center + 2 * radius * cospi(third);
    const double smallest = center + 2 * radius * cospi(third + 2.0 / 3);
    const double rows[3][3] = {
        {m[0] - smallest, d, e}, {d, m[3] - smallest, f}, {e, f, m[5] - smallest}};
    double best[3], other[3];
    cross(rows[0], rows[1], best);
    double longest = dot(best, best);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        cross(rows[i], rows[2], other);
        const double squared = dot(other, other);
        if (squared > longest) {
            longest = squared;
            for (int j = 0; j < 3; ++j) best[j] = other[j];
        }
    }
    const bool distinct = longest > 1e-24 * largest * largest * largest * largest;
    const double length = distinct ? sqrt(longest) : 1;
    for (int j = 0; j < 3; ++j) axis[j] = distinct ? best[j] / length : j == 2;
    return (3 * center - largest - smallest) / largest;
}

// From the sums to the plane: `rows` is its basis, the first axis the mean's direction within it.
__device__ __noinline__ void find_plane(State& state, const Settings& settings, long long pixels) {
    const double* total = state.total;
    const double count = total[0];
    const bool some = count >= 2;
    double mean[3];
    for (int c = 0; c < 3; ++c) mean[c] = some ? total[1 + c] / count : 0;
    double covariance[6];
#pragma unroll
    for (int i = 0, at = 0; i < 3; ++i)
#pragma unroll
        for (int j = i; j < 3; ++j, ++at)
            covariance[at] =
                some ? (total[4 + at] - count * mean[i] * mean[j]) / (count - 1) : 0;
    state.fraction = count / double(pixels);
    const bool seen = state.fraction >= settings.tissue_fraction && count >= settings.tissue_pixels &&
                      covariance[0] + covariance[3] + covariance[5] > 1e-12;
    double normal[3] = {0, 0, 1};
    state.ratio = 0;
    if (seen) state.ratio = smallest_axis(covariance, normal);

    const double across = dot(mean, normal);
    double inside[3];
    for (int j = 0; j < 3; ++j) inside[j] = mean[j] - across * normal[j];
    if (!(dot(inside, inside) > 1e-24)) {  // the mean lies along the normal: any direction will do
        const double aside[3] = {normal[2] + 0.3, normal[1], normal[0]};
        cross(normal, aside, inside);
    }
    const double length = sqrt(dot(inside, inside));
    for (int j = 0; j < 3; ++j) state.rows[0][j] = inside[j] / length;
    cross(normal, state.rows[0], state.rows[1]);
}

// What holds before anything is known; total, fraction and ratio are known.
__device__ __noinline__ void begin(State& state, const Settings& settings, long long pixels) {
    state.angle = 45;
    state.scale = 0;
    state.clipped = 0;
    state.levels[0] = settings.angle_percentile;
    state.levels[1] = 100 - settings.angle_percentile;
    const double plain[2][3] = {{0.6, 0.7, 0.4}, {0.2, 0.8, 0.56}};
    for (int k = 0; k < 2; ++k) {
        const double length = sqrt(dot(plain[k], plain[k]));
        state.maxima[k] = 1;
        state.low[k] = 0;
        state.step[k] = 1;
        for (int c = 0; c < 3; ++c) state.stains[c][k] = plain[k][c] / length;
    }
    for (int i = 0; i < 9; ++i) state.matrix[i] = i % 4 == 0;
    find_plane(state, settings, pixels);
    decide(state, settings);
}

// The range of the keys of two concentrations, from the rows and the table's ends.
__device__ __noinline__ void set_range(State& state, const Settings& settings) {
    for (int i = 0; i < 2; ++i) {
        double low = 0, high = 0;
        for (int c = 0; c < 3; ++c) {
            const double one = state.rows[i][c] * settings.least_density;
            const double other = state.rows[i][c] * settings.greatest_density;
            low += fmin(one, other);
            high += fmax(one, other);
        }
        state.low[i] = low;
        state.step[i] = (high - low) / LAST_KEY;
    }
}

// From the two angles to the stains; `rows` becomes the least-squares map to concentrations.
__device__ __noinline__ void find_stains(State& state, const Settings& settings) {
    double vectors[2][3];
#pragma unroll
    for (int k = 0; k < 2; ++k) {
        double sine, cosine;
        sincospi(state.values[k] / PI, &sine, &cosine);
        for (int c = 0; c < 3; ++c)
            vectors[k][c] = cosine * state.rows[0][c] + sine * state.rows[1][c];
    }
    const bool swap = !(vectors[0][0] > vectors[1][0]);
    double hematoxylin[3], eosin[3], across[3];
    for (int c = 0; c < 3; ++c) {
        hematoxylin[c] = swap ? vectors[1][c] : vectors[0][c];
        eosin[c] = swap ? vectors[0][c] : vectors[1][c];
    }
    cross(hematoxylin, eosin, across);
    const double squared = dot(across, across), cosine = dot(hematoxylin, eosin);
    state.angle = atan2(squared > 1e-30 ? sqrt(squared) : 0.0, cosine) * (180 / PI);
    decide(state, settings);
    if (!state.usable) return;
    for (int c = 0; c < 3; ++c) {
        state.stains[c][0] = hematoxylin[c];
        state.stains[c][1] = eosin[c];
        state.rows[0][c] = (hematoxylin[c] - cosine * eosin[c]) / (1 - cosine * cosine);
        state.rows[1][c] = (eosin[c] - cosine * hematoxylin[c]) / (1 - cosine * cosine);
    }
    state.levels[0] = state.levels[1] = settings.concentration_percentile;
    set_range(state, settings);
}

// From the maxima to the matrix that carries the optical density to the reference's stains.
__device__ __noinline__ void match(State& state, const Settings& settings) {
    double scale[2];
    for (int k = 0; k < 2; ++k) {
        state.maxima[k] = state.values[k];
        scale[k] = settings.reference_maxima[k] / (state.maxima[k] > 0 ? state.maxima[k] : 1);
    }
    state.scale = fmax(scale[0], scale[1]);
    decide(state, settings);
    // A reference without concentrations: only the estimate is wanted.
    if (!(state.scale > 0)) state.used = 0;
    if (!state.used) return;
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j)
            state.matrix[3 * i + j] = settings.reference[i][0] * scale[0] * state.rows[0][j] +
                                      settings.reference[i][1] * scale[1] * state.rows[1][j];
}

// Whole states, word by word.
__device__ __forceinline__ void copy_state(const State& from, State& to) {
    const u64* source = reinterpret_cast<const u64*>(&from);
    u64* target = reinterpret_cast<u64*>(&to);
    for (int i = threadIdx.x; i < int(sizeof(State) / 8); i += blockDim.x) target[i] = source[i];
}

// ---------------------------------------------------------------------------------------------------
// One block a tile. 64 registers at most, so that four blocks of 256 threads, or one of 1024, fit.
// `out` may be null: only the estimate is wanted.

extern "C" __global__ void __launch_bounds__(1024) normalize_tiles(
    const u8* __restrict__ tiles, const u8* __restrict__ masks,
    const Constants* __restrict__ constants, long long per_tile, State* states, u8* out) {
    SHARED_DENSITY(shared_density);
    __shared__ Work work;
    DYNAMIC_SHARED(arena);
    const Table density(shared_density);
    const size_t tile = blockIdx.x;
    const Settings& settings = constants->settings;
    const Rule rule = rule_of(settings);
    const Pixels pixels = load_pixels(
        arena, tiles + tile * 3 * per_tile, masks ? masks + tile * per_tile : nullptr, per_tile, 0,
        int(per_tile));
    load_density(shared_density, *constants);
    if (threadIdx.x == 0) work.clipped = 0;
    __syncthreads();

    double sums[10] = {};
    sum_tissue_of(pixels, density, rule, sums);
    block_sums(sums, work, work.state.total);
    if (threadIdx.x == 0) begin(work.state, settings, per_tile);
    __syncthreads();
    if (work.state.usable) {
        select<ANGLE>(pixels, work, density, rule, work.state.total[0]);
        if (threadIdx.x == 0) find_stains(work.state, settings);
        __syncthreads();
        if (work.state.usable) {
            select<CONCENTRATIONS>(pixels, work, density, rule, double(per_tile));
            if (threadIdx.x == 0) match(work.state, settings);
            __syncthreads();
        }
    }
    if (out) {
        if (work.state.used) {
            const u32 clipped = warp_sum(transform(
                pixels, density, rule, work.state.matrix, settings.transmitted_light));
            if (lane_index() == 0 && clipped) atomicAdd(&work.clipped, clipped);
            __syncthreads();
            if (threadIdx.x == 0) {
                work.state.clipped = work.clipped;
                decide(work.state, settings);
            }
        }
        store_pixels(pixels, out + tile * 3 * per_tile, per_tile, 0);
        __syncthreads();
    }
    copy_state(work.state, states[tile]);
}

// ---------------------------------------------------------------------------------------------------
// Several blocks a tile: blocks are numbered tile by tile, `chunks` to a tile

struct Chunk {
    size_t tile;
    long long start;
    int count;
};

__device__ __forceinline__ Chunk chunk_of(long long per_tile, int chunks, int chunk_px) {
    const size_t tile = blockIdx.x / chunks;
    const long long start = (long long)(blockIdx.x % chunks) * chunk_px;
    const long long left = per_tile - start;
    return Chunk{tile, start, int(left < chunk_px ? left : chunk_px)};
}

__device__ __forceinline__ Pixels load_chunk(
    u8* arena, const u8* tiles, const u8* masks, long long per_tile, const Chunk& chunk) {
    return load_pixels(
        arena, tiles + chunk.tile * 3 * per_tile, masks ? masks + chunk.tile * per_tile : nullptr,
        per_tile, chunk.start, chunk.count);
}

// Sums of each chunk, (N * chunks, 10).
extern "C" __global__ void __launch_bounds__(256, 4) sum_tissue(
    const u8* __restrict__ tiles, const u8* __restrict__ masks,
    const Constants* __restrict__ constants, long long per_tile, int chunks, int chunk_px,
    double* partial) {
    SHARED_DENSITY(shared_density);
    __shared__ Work work;
    DYNAMIC_SHARED(arena);
    const Table density(shared_density);
    const Pixels pixels =
        load_chunk(arena, tiles, masks, per_tile, chunk_of(per_tile, chunks, chunk_px));
    load_density(shared_density, *constants);
    __syncthreads();
    double sums[10] = {};
    sum_tissue_of(pixels, density, rule_of(constants->settings), sums);
    block_sums(sums, work, work.state.total);
    if (threadIdx.x < 10) partial[size_t(blockIdx.x) * 10 + threadIdx.x] = work.state.total[threadIdx.x];
}

// Add the chunks up, find the plane; one block a tile.
extern "C" __global__ void __launch_bounds__(256) find_planes(
    const Constants* __restrict__ constants, long long per_tile, int chunks,
    const double* __restrict__ partial, State* states) {
    __shared__ Work work;
    double sums[10] = {};
    for (int chunk = threadIdx.x; chunk < chunks; chunk += blockDim.x)
        for (int i = 0; i < 10; ++i) sums[i] += partial[(size_t(blockIdx.x) * chunks + chunk) * 10 + i];
    block_sums(sums, work, work.state.total);
    if (threadIdx.x == 0) begin(work.state, constants->settings, per_tile);
    __syncthreads();
    copy_state(work.state, states[blockIdx.x]);
}

// Histograms (N, 2, BINS) of keys.
extern "C" __global__ void __launch_bounds__(256, 4) count_keys_of(
    const u8* __restrict__ tiles, const u8* __restrict__ masks,
    const Constants* __restrict__ constants, long long per_tile, int chunks, int chunk_px, int kind,
    int within, State* states, u32* histograms) {
    SHARED_DENSITY(shared_density);
    __shared__ Work work;
    DYNAMIC_SHARED(arena);
    const Table density(shared_density);
    const Chunk chunk = chunk_of(per_tile, chunks, chunk_px);
    if (!states[chunk.tile].usable) return;
    const Rule rule = rule_of(constants->settings);
    const Pixels pixels = load_chunk(arena, tiles, masks, per_tile, chunk);
    load_density(shared_density, *constants);
    copy_state(states[chunk.tile], work.state);
    clear_histogram(work.histogram);
    __syncthreads();
    if (kind == CONCENTRATIONS && threadIdx.x == 0) set_range(work.state, constants->settings);
    __syncthreads();
    if (kind == ANGLE && !within) count_keys<ANGLE, false>(pixels, work, density, rule);
    if (kind == ANGLE && within) count_keys<ANGLE, true>(pixels, work, density, rule);
    if (kind == CONCENTRATIONS && !within) count_keys<CONCENTRATIONS, false>(pixels, work, density, rule);
    if (kind == CONCENTRATIONS && within) count_keys<CONCENTRATIONS, true>(pixels, work, density, rule);
    __syncthreads();
    u32* target = histograms + chunk.tile * 2 * BINS;
    for (int bin = threadIdx.x; bin < 2 * BINS; bin += blockDim.x)
        if (work.histogram[bin]) atomicAdd(&target[bin], work.histogram[bin]);
    if (within && threadIdx.x < 2)
        atomicMin(&states[chunk.tile].least[threadIdx.x], work.state.least[threadIdx.x]);
}

// Percentiles from the histograms, which end cleared; with `judge` also what follows from them.
extern "C" __global__ void __launch_bounds__(256) pick_keys(
    const Constants* __restrict__ constants, long long per_tile, int kind, int within, int judge,
    State* states, u32* histograms) {
    __shared__ Work work;
    const Settings& settings = constants->settings;
    if (!states[blockIdx.x].usable) return;
    u32* histogram = histograms + size_t(blockIdx.x) * 2 * BINS;
    copy_state(states[blockIdx.x], work.state);
    __syncthreads();
    if (kind == CONCENTRATIONS && threadIdx.x == 0) set_range(work.state, settings);
    __syncthreads();
    if (kind == ANGLE) pick<ANGLE>(histogram, work, work.state.total[0], within);
    else pick<CONCENTRATIONS>(histogram, work, double(per_tile), within);
    if (judge && within && threadIdx.x == 0) {
        if (kind == ANGLE) find_stains(work.state, settings);
        else match(work.state, settings);
    }
    __syncthreads();
    copy_state(work.state, states[blockIdx.x]);
    clear_histogram(histogram);
}

// Carry tiles through their matrices, or copy those not `used`. The strides are in numbers, from one tile
// to the next: of the matrices, and of `used` and `clipped`.
extern "C" __global__ void __launch_bounds__(256, 4) apply_matrices(
    const u8* __restrict__ tiles, const u8* __restrict__ masks,
    const Constants* __restrict__ constants, long long per_tile, int chunks, int chunk_px,
    int matrix_stride, int flag_stride, const double* matrices, const long long* used, u64* clipped,
    u8* out) {
    SHARED_DENSITY(shared_density);
    DYNAMIC_SHARED(arena);
    const Table density(shared_density);
    const Settings& settings = constants->settings;
    const Chunk chunk = chunk_of(per_tile, chunks, chunk_px);
    const Pixels pixels = load_chunk(arena, tiles, masks, per_tile, chunk);
    load_density(shared_density, *constants);
    __syncthreads();
    if (used[chunk.tile * flag_stride]) {
        const u32 lost = warp_sum(transform(
            pixels, density, rule_of(settings), matrices + chunk.tile * matrix_stride,
            settings.transmitted_light));
        if (lane_index() == 0 && lost) atomicAdd(&clipped[chunk.tile * flag_stride], u64(lost));
        __syncthreads();
    }
    store_pixels(pixels, out + chunk.tile * 3 * per_tile, per_tile, chunk.start);
}

// The last word on the status, once it is known what the output lost; one thread a tile.
extern "C" __global__ void judge_output(
    const Constants* __restrict__ constants, int tiles, State* states) {
    const int tile = blockIdx.x * blockDim.x + threadIdx.x;
    if (tile < tiles) decide(states[tile], constants->settings);
}
