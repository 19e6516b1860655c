#include "models/weight.h"

#include <omp.h>

#include <algorithm>
#include <cstring>

#include "core/errors.h"
#include "ops/convert.h"

namespace deltascope {
namespace {

/// Reads pieces of a tensor on all threads: piece i is `bytes(i)` bytes from `offset(i)` on and goes to `place(i)`, and
/// `use(i, raw)` returns how many of its values are not finite.
template <typename Offset, typename Bytes, typename Place, typename Use>
int64_t read_pieces_to(const Weight& weight, int64_t pieces, const Offset& offset, const Bytes& bytes, const Place& place,
                       const Use& use) {
  bool ok = true;
  int64_t not_finite = 0;
#pragma omp parallel for schedule(static) reduction(&& : ok) reduction(+ : not_finite)
  for (int64_t i = 0; i < pieces; ++i) {
    uint8_t* raw = place(i);
    ok = ok && weight.file->read(*weight.tensor, static_cast<size_t>(offset(i)), static_cast<size_t>(bytes(i)), raw);
    if (ok) not_finite += use(i, raw);
  }
  if (ok) return not_finite;
  weight.file->require_unchanged();
  throw Error(Code::file_unreadable, "a weight file cannot be read to its end");
}

/// The same, each to a piece of scratch that is its thread's. `most`: the longest piece.
template <typename Offset, typename Bytes, typename Use>
int64_t read_pieces(const Weight& weight, int64_t pieces, int64_t most, const Offset& offset, const Bytes& bytes,
                    const Use& use) {
  std::vector<uint8_t> scratch(static_cast<size_t>(most * omp_get_max_threads()));
  return read_pieces_to(
      weight, pieces, offset, bytes, [&](int64_t) { return scratch.data() + most * omp_get_thread_num(); }, use);
}

}  // namespace

int64_t read_weights(const Weight& weight, int64_t first, int64_t count, float* out) {
  constexpr int64_t kPiece = 1 << 16;
  const int64_t width = size_of(weight.tensor->dtype);
  const auto here = [&](int64_t i) { return std::min(kPiece, count - i * kPiece); };
  return read_pieces(
      weight, (count + kPiece - 1) / kPiece, std::min(count, kPiece) * width,
      [&](int64_t i) { return (first + i * kPiece) * width; }, [&](int64_t i) { return here(i) * width; },
      [&](int64_t i, const uint8_t* raw) {
        float* to = out + i * kPiece;
        convert_to_f32({raw, static_cast<size_t>(here(i) * width)}, weight.tensor->dtype, to, here(i));
        return count_not_finite(to, here(i));
      });
}

int64_t read_linear(const LinearWeight& linear, int64_t out, int64_t in, bool input_major, Precision precision,
                    PackedMatrix& packed) {
  const TensorInfo& tensor = *linear.weight.tensor;
  const int64_t width = size_of(tensor.dtype);
  packed.reset(out, in, precision);
  if (input_major) {
    const int64_t stored = tensor.shape.back();
    return read_pieces(
        linear.weight, in, out * width, [&](int64_t i) { return (i * stored + linear.first_row) * width; },
        [&](int64_t) { return out * width; },
        [&](int64_t i, const uint8_t* raw) { return packed.set_input(i, raw, tensor.dtype); });
  }
  constexpr int64_t kRows = 32;
  const auto here = [&](int64_t i) { return std::min(kRows, out - i * kRows); };
  return read_pieces(
      linear.weight, (out + kRows - 1) / kRows, std::min(out, kRows) * in * width,
      [&](int64_t i) { return (linear.first_row + i * kRows) * in * width; },
      [&](int64_t i) { return here(i) * in * width; },
      [&](int64_t i, const uint8_t* raw) { return packed.set_outputs(i * kRows, here(i), raw, tensor.dtype); });
}

DType row_dtype(const Weight& weight, Precision precision) {
  return precision == Precision::bfloat16 ? DType::bf16 : weight.tensor->dtype;
}

void read_rows(const LinearWeight& linear, int64_t out, int64_t in, bool input_major, Precision precision,
               const Job& job, RowMatrix& rows) {
  rows.reset(out, in, row_dtype(linear.weight, precision));
  read_rows(linear, out, in, input_major, precision, job, rows.row(0));
}

int64_t read_rows(const LinearWeight& linear, int64_t out, int64_t in, bool input_major, Precision precision,
                  const Job& job, uint8_t* to) {
  const TensorInfo& tensor = *linear.weight.tensor;
  const DType stored = tensor.dtype, kept = row_dtype(linear.weight, precision);
  const int64_t width = size_of(stored), kept_width = size_of(kept);
  const auto cancelled = [&] { return job.cancelled.load(std::memory_order_relaxed); };
  constexpr int64_t kRows = 32;
  if (kept == stored && !input_major) {  // nothing between the file and its place
    const auto here = [&](int64_t i) { return std::min(kRows, out - i * kRows) * in; };
    const int64_t not_finite = read_pieces_to(
        linear.weight, (out + kRows - 1) / kRows, [&](int64_t i) { return (linear.first_row + i * kRows) * in * width; },
        [&](int64_t i) { return cancelled() ? 0 : here(i) * width; }, [&](int64_t i) { return to + i * kRows * in * width; },
        [&](int64_t i, const uint8_t* raw) -> int64_t { return cancelled() ? 0 : count_not_finite(raw, stored, here(i)); });
    job.throw_if_cancelled();
    return not_finite;
  }
  /// Values as they are kept; the pieces are short, and each is one thread's.
  const auto put = [&](const uint8_t* raw, int64_t count, uint8_t* to) {
    if (kept == stored) {
      std::memcpy(to, raw, static_cast<size_t>(count * width));
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      float value;
      if (stored == DType::f32) {
        std::memcpy(&value, raw + i * width, sizeof(value));
      } else {
        uint16_t half;
        std::memcpy(&half, raw + i * width, sizeof(half));
        value = f16_to_f32(half);
      }
      const uint16_t rounded = f32_to_bf16(value);
      std::memcpy(to + i * kept_width, &rounded, sizeof(rounded));
    }
  };
  const int64_t lines = input_major ? in : out, length = input_major ? out : in;
  const int64_t stride = input_major ? tensor.shape.back() : in, skipped = input_major ? linear.first_row : linear.first_row * in;
  const auto here = [&](int64_t i) { return std::min(kRows, lines - i * kRows); };
  std::vector<std::vector<uint8_t>> turned(input_major ? static_cast<size_t>(omp_get_max_threads()) : 0);
  for (auto& piece : turned) piece.resize(static_cast<size_t>(kRows * length * kept_width));
  const int64_t not_finite = read_pieces(
      linear.weight, (lines + kRows - 1) / kRows, std::min(lines, kRows) * stride * width,
      [&](int64_t i) { return (i * kRows * stride + skipped) * width; },
      [&](int64_t i) { return cancelled() ? 0 : ((here(i) - 1) * stride + length) * width; },
      [&](int64_t i, const uint8_t* raw) -> int64_t {
        if (cancelled()) return 0;
        int64_t spoiled = 0;
        for (int64_t r = 0; r < here(i); ++r) {
          const int64_t line = i * kRows + r;
          spoiled += count_not_finite(raw + r * stride * width, stored, length);
          if (!input_major) {
            put(raw + r * stride * width, length, to + line * length * kept_width);
            continue;
          }
          uint8_t* piece = turned[static_cast<size_t>(omp_get_thread_num())].data();
          put(raw + r * stride * width, length, piece);
          for (int64_t o = 0; o < out; ++o) {
            std::memcpy(to + (o * in + line) * kept_width, piece + o * kept_width, static_cast<size_t>(kept_width));
          }
        }
        return spoiled;
      });
  job.throw_if_cancelled();
  return not_finite;
}

}  // namespace deltascope
