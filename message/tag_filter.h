// Filtering by tag: "*", or tags joined by "||" (FilterAPI.java).
//
// Index entries hold a hash of the tag, so a queue is filtered without reading
// messages; the tag itself decides, since hashes collide.
#ifndef TOTORA_MESSAGE_TAG_FILTER_H_
#define TOTORA_MESSAGE_TAG_FILTER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace totora::message {

// Java's hashCode(): over UTF-16 code units, the bits of its int. 0 for an
// empty tag, and (it cannot be helped) for a few others.
uint32_t TagHash(absl::string_view tag);

// What Go clients send in its place: the same over UTF-8 bytes.
uint32_t TagHashOfBytes(absl::string_view tag);

// A parsed subscription expression.
//
// Thread safety: value, immutable.
class TagFilter {
 public:
  static constexpr size_t kExpressionBytesMax = 8192;
  static constexpr size_t kTagsMax = 256;

  // Takes everything.
  TagFilter() = default;

  // Empty and "*" take everything. Blanks around a tag do not count, nor do
  // empty tags beside others. A single "|" is part of a tag, as in RocketMQ.
  //
  // Errors: InvalidArgument if there is no tag between separators, a tag holds
  //   a control character, or a maximum above is exceeded.
  static absl::StatusOr<TagFilter> Parse(absl::string_view expression);

  bool takes_everything() const { return tags_.empty(); }
  // Both sorted, without repetitions, and empty if it takes everything.
  const std::vector<std::string>& tags() const { return tags_; }
  const std::vector<uint32_t>& hashes() const { return hashes_; }

  // False: no message with this hash can match. `hash` as in an index entry.
  bool MayMatch(uint32_t hash) const;
  // Whether a message with this tag (empty = none) matches.
  bool Matches(absl::string_view tag) const;

 private:
  std::vector<std::string> tags_;
  std::vector<uint32_t> hashes_;
};

}  // namespace totora::message

#endif  // TOTORA_MESSAGE_TAG_FILTER_H_
