#include "common/crc32c.h"

#include <isa-l/crc.h>

namespace totora {

uint32_t Crc32c(absl::string_view bytes, uint32_t crc) {
  // isa-l takes no const, works on int lengths and leaves both inversions to us.
  uint32_t state = ~crc;
  while (!bytes.empty()) {
    const size_t part = bytes.size() < (1u << 30) ? bytes.size() : (1u << 30);
    state = crc32_iscsi(reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data())),
                        static_cast<int>(part), state);
    bytes.remove_prefix(part);
  }
  return ~state;
}

}  // namespace totora
