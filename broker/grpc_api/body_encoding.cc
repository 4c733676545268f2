#include "broker/grpc_api/body_encoding.h"

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "absl/strings/match.h"

namespace totora::grpc_api {
namespace {

constexpr size_t kStep = 64 << 10;

absl::Status Broken() { return absl::InvalidArgumentError("the packed body is broken"); }
absl::Status TooLarge() { return absl::ResourceExhaustedError("the unpacked body is too large"); }

// Makes room for more output; false at the bound.
bool Grow(std::string* out) {
  if (out->size() >= kUnpackedBytesMax) return false;
  out->resize(std::min(kUnpackedBytesMax, out->size() + std::max(kStep, out->size())));
  return true;
}

absl::StatusOr<std::string> Inflate(absl::string_view packed) {
  z_stream stream = {};
  constexpr int kZlibOrGzip = 15 + 32;
  if (inflateInit2(&stream, kZlibOrGzip) != Z_OK) return absl::InternalError("inflateInit2");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  while (true) {
    const size_t used = stream.total_out;
    if (used == out.size() && !Grow(&out)) return TooLarge();
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream.avail_out = static_cast<uInt>(out.size() - used);
    const int result = inflate(&stream, Z_NO_FLUSH);
    if (result == Z_STREAM_END) break;
    if (result != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0)) return Broken();
  }
  out.resize(stream.total_out);
  return out;
}

absl::StatusOr<std::string> UnpackLz4(absl::string_view packed) {
  LZ4F_dctx* context = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION))) {
    return absl::InternalError("LZ4F_createDecompressionContext");
  }
  const std::unique_ptr<LZ4F_dctx, size_t (*)(LZ4F_dctx*)> end(context,
                                                               LZ4F_freeDecompressionContext);
  std::string out;
  size_t used = 0;
  while (true) {
    if (used == out.size() && !Grow(&out)) return TooLarge();
    size_t written = out.size() - used;
    size_t read = packed.size();
    const size_t result =
        LZ4F_decompress(context, out.data() + used, &written, packed.data(), &read, nullptr);
    if (LZ4F_isError(result)) return Broken();
    used += written;
    packed.remove_prefix(read);
    if (result == 0) break;
    if (read == 0 && written == 0) return Broken();
  }
  out.resize(used);
  return out;
}

absl::StatusOr<std::string> UnpackZstd(absl::string_view packed) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                   ZSTD_freeDCtx);
  ZSTD_inBuffer in = {packed.data(), packed.size(), 0};
  std::string out;
  size_t used = 0;
  while (true) {
    if (used == out.size() && !Grow(&out)) return TooLarge();
    ZSTD_outBuffer to = {out.data(), out.size(), used};
    const size_t result = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(result)) return Broken();
    const bool is_stuck = to.pos == used && in.pos == in.size;
    used = to.pos;
    if (result == 0) break;
    if (is_stuck) return Broken();
  }
  out.resize(used);
  return out;
}

}  // namespace

absl::StatusOr<std::string> UnpackBody(absl::string_view packed) {
  if (absl::StartsWith(packed, "\x04\x22\x4d\x18")) return UnpackLz4(packed);
  if (absl::StartsWith(packed, "\x28\xb5\x2f\xfd")) return UnpackZstd(packed);
  return Inflate(packed);
}

}  // namespace totora::grpc_api
