// CRC-32C (Castagnoli), the checksum of every format of ours. isa-l behind it.
#ifndef TOTORA_COMMON_CRC32C_H_
#define TOTORA_COMMON_CRC32C_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace totora {

// The checksum of `bytes`; with `crc` of earlier bytes, the checksum of both together.
uint32_t Crc32c(absl::string_view bytes, uint32_t crc = 0);

}  // namespace totora

#endif  // TOTORA_COMMON_CRC32C_H_
