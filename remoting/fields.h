// Typed headers: a struct names its custom fields once, and reading, writing
// and the errors follow from that list.
//
//   struct GetMinOffsetRequest {
//     absl::string_view topic{};
//     int32_t queue_id = 0;
//
//     static void Visit(auto& self, auto& visitor) {
//       visitor.Required("topic", self.topic);
//       visitor.Required("queueId", self.queue_id);
//     }
//   };
//
//   absl::StatusOr<GetMinOffsetRequest> header = ReadFields<GetMinOffsetRequest>(command.fields);
//
// Members are text (a view into the command), int32_t, int64_t, double or
// bool, and where it matters whether a field was there, std::optional of one.
// All fields travel as text, in any order; unknown ones are ignored. Text is
// read as RemotingCommand.decodeCommandCustomHeader reads it.
#ifndef TOTORA_REMOTING_FIELDS_H_
#define TOTORA_REMOTING_FIELDS_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "remoting/command.h"
#include "remoting/field_buffer.h"

namespace totora::remoting {

// As Integer.parseInt, Long.parseLong, Double.parseDouble and
// Boolean.parseBoolean read `text`: no white space, a sign is fine, what is out
// of range is not. Any text but "true" (in any case) is false.
bool ParseJava(absl::string_view text, int32_t* to);
bool ParseJava(absl::string_view text, int64_t* to);
bool ParseJava(absl::string_view text, double* to);
bool ParseJava(absl::string_view text, bool* to);
inline bool ParseJava(absl::string_view text, absl::string_view* to) {
  *to = text;
  return true;
}

// Thread safety: confined.
class FieldReader {
 public:
  // `fields` must outlive the reader.
  explicit FieldReader(const FieldList* fields) : fields_(*fields) {}

  template <typename T>
  void Required(absl::string_view name, T& to) {
    const std::optional<absl::string_view> text = fields_.Find(name, &hint_);
    if (!text.has_value()) {
      FailNull(name);
    } else if (!ParseJava(*text, &to)) {
      FailUnreadable(name, *text);
    }
  }

  // Keeps `to` as it is if the field is absent or cannot be read: Java logs
  // the latter and goes on with the default.
  template <typename T>
  void Optional(absl::string_view name, T& to) {
    const std::optional<absl::string_view> text = fields_.Find(name, &hint_);
    T value{};
    if (text.has_value() && ParseJava(*text, &value)) to = value;
  }
  template <typename T>
  void Optional(absl::string_view name, std::optional<T>& to) {
    const std::optional<absl::string_view> text = fields_.Find(name, &hint_);
    T value{};
    if (text.has_value() && ParseJava(*text, &value)) to = value;
  }

  // Of the first field that was required in vain.
  const absl::Status& status() const { return status_; }

 private:
  void FailNull(absl::string_view name);
  void FailUnreadable(absl::string_view name, absl::string_view text);

  const FieldList& fields_;
  size_t hint_ = 0;
  absl::Status status_;
};

// Thread safety: confined.
class FieldWriter {
 public:
  explicit FieldWriter(FieldBuffer* to) : to_(*to) {}

  void Required(absl::string_view name, absl::string_view value) { to_.Add(name, value); }
  void Required(absl::string_view name, int32_t value) { to_.AddNumber(name, value); }
  void Required(absl::string_view name, int64_t value) { to_.AddNumber(name, value); }
  void Required(absl::string_view name, bool value) { to_.AddBool(name, value); }

  // Text that is empty and optionals that are not set are left out.
  void Optional(absl::string_view name, absl::string_view value) {
    if (!value.empty()) to_.Add(name, value);
  }
  void Optional(absl::string_view name, int32_t value) { Required(name, value); }
  void Optional(absl::string_view name, int64_t value) { Required(name, value); }
  void Optional(absl::string_view name, bool value) { Required(name, value); }
  template <typename T>
  void Optional(absl::string_view name, const std::optional<T>& value) {
    if (value.has_value()) Required(name, *value);
  }

 private:
  FieldBuffer& to_;
};

// Errors: InvalidArgument "the custom field <name> is null" (Java's words) for
//   the first required field that is missing, or that it cannot be read.
//   Clients see it as the remark of SYSTEM_ERROR.
template <typename Header>
absl::StatusOr<Header> ReadFields(const FieldList& fields) {
  Header header;
  FieldReader reader(&fields);
  Header::Visit(header, reader);
  if (!reader.status().ok()) return reader.status();
  return header;
}

template <typename Header>
void WriteFields(const Header& header, FieldBuffer* to) {
  to->Reserve(256);  // Most headers fit.
  FieldWriter writer(to);
  Header::Visit(header, writer);
}

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_FIELDS_H_
