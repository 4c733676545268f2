#include "message/tag_filter.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "message/utf8.h"

namespace totora::message {
namespace {

template <typename T>
void SortAndDeduplicate(std::vector<T>* values) {
  std::sort(values->begin(), values->end());
  values->erase(std::unique(values->begin(), values->end()), values->end());
}

}  // namespace

uint32_t TagHash(absl::string_view tag) {
  uint32_t hash = 0;
  while (!tag.empty()) {
    uint32_t point = TakeCodePoint(&tag);
    if (point == kInvalidCodePoint) point = 0xfffd;  // What Java's decoder makes of it.
    if (point >= 0x10000) {
      hash = 31 * hash + (0xd800 + ((point - 0x10000) >> 10));
      point = 0xdc00 + ((point - 0x10000) & 0x3ff);
    }
    hash = 31 * hash + point;
  }
  return hash;
}

uint32_t TagHashOfBytes(absl::string_view tag) {
  uint32_t hash = 0;
  for (const char c : tag) hash = 31 * hash + static_cast<uint8_t>(c);
  return hash;
}

absl::StatusOr<TagFilter> TagFilter::Parse(absl::string_view expression) {
  if (expression.size() > kExpressionBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("filter expression of ", expression.size(),
                                                   " bytes, at most ", kExpressionBytesMax,
                                                   " are allowed"));
  }
  TagFilter filter;
  const absl::string_view trimmed = absl::StripAsciiWhitespace(expression);
  if (trimmed.empty() || trimmed == "*") return filter;

  for (absl::string_view part : absl::StrSplit(trimmed, "||")) {
    const absl::string_view tag = absl::StripAsciiWhitespace(part);
    if (tag.empty()) continue;
    if (std::any_of(tag.begin(), tag.end(), [](char c) { return absl::ascii_iscntrl(c); })) {
      return absl::InvalidArgumentError("a tag in the filter expression has control characters");
    }
    filter.tags_.emplace_back(tag);
    filter.hashes_.push_back(TagHash(tag));
  }
  if (filter.tags_.empty()) {
    return absl::InvalidArgumentError("the filter expression names no tag");
  }
  SortAndDeduplicate(&filter.tags_);
  SortAndDeduplicate(&filter.hashes_);
  if (filter.tags_.size() > kTagsMax) {
    return absl::InvalidArgumentError(absl::StrCat("filter expression with ", filter.tags_.size(),
                                                   " tags, at most ", kTagsMax, " are allowed"));
  }
  return filter;
}

bool TagFilter::MayMatch(uint32_t hash) const {
  return takes_everything() || std::binary_search(hashes_.begin(), hashes_.end(), hash);
}

bool TagFilter::Matches(absl::string_view tag) const {
  return takes_everything() || std::binary_search(tags_.begin(), tags_.end(), tag,
                                                  [](absl::string_view a, absl::string_view b) {
                                                    return a < b;
                                                  });
}

}  // namespace totora::message
