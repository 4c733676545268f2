// Custom fields on their way out, kept in one string.
#ifndef TOTORA_REMOTING_FIELD_BUFFER_H_
#define TOTORA_REMOTING_FIELD_BUFFER_H_

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "common/coding.h"
#include "remoting/command.h"

namespace totora::remoting {

// The bytes are those of the compact header's field block, so that this
// serializer copies them as they are and the JSON one walks over them.
//
// Thread safety: external.
class FieldBuffer {
 public:
  // The compact header has two signed bytes for a name's length.
  static constexpr size_t kNameBytesMax = 32767;

  // Names are not compared: adding one twice sends it twice. A name that is
  // empty or too long for the format is dropped: only a peer whose fields are
  // passed on could have made it.
  void Add(absl::string_view name, absl::string_view value) {
    if (name.empty() || name.size() > kNameBytesMax) return;
    AppendU16(&bytes_, static_cast<uint16_t>(name.size()));
    bytes_.append(name.data(), name.size());
    AppendBytes(&bytes_, value);
    ++size_;
  }
  void AddNumber(absl::string_view name, int64_t value) {
    char digits[24];
    const char* end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
    Add(name, absl::string_view(digits, static_cast<size_t>(end - digits)));
  }
  void AddBool(absl::string_view name, bool value) { Add(name, value ? "true" : "false"); }
  // Passes on what was received.
  void AddAll(const FieldList& fields) {
    for (const FieldList::Field& field : fields) Add(field.name, field.value);
  }

  // Room for so many bytes in all. Each field takes 6 more than its texts.
  void Reserve(size_t bytes) {
    if (bytes > bytes_.capacity()) bytes_.reserve(bytes);
  }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // name length (2), name, value length (4), value; and so on.
  const std::string& bytes() const { return bytes_; }

  // Calls visit(name, value) for each field, in the order added.
  template <typename Visit>
  void ForEach(Visit visit) const {
    Reader reader(bytes_);
    for (size_t i = 0; i < size_; ++i) {
      const absl::string_view name = reader.Bytes(reader.U16());
      visit(name, reader.Prefixed());
    }
  }

 private:
  std::string bytes_;
  size_t size_ = 0;
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_FIELD_BUFFER_H_
