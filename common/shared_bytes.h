// A block of bytes with many readers: what a disk write and both followers share.
#ifndef TOTORA_COMMON_SHARED_BYTES_H_
#define TOTORA_COMMON_SHARED_BYTES_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace totora {

// A view of a block and a share in keeping that block alive.
//
// Thread safety: value; copies may live on different threads. The bytes are immutable.
class SharedBytes {
 public:
  SharedBytes() = default;
  // Takes the bytes over.
  explicit SharedBytes(std::string bytes) {
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    view_ = *owner;
    owner_ = std::move(owner);
  }
  // `view` lies inside something that lives as long as `owner`.
  SharedBytes(std::shared_ptr<const void> owner, absl::string_view view)
      : owner_(std::move(owner)), view_(view) {}

  absl::string_view view() const { return view_; }
  size_t size() const { return view_.size(); }
  // A part of the same block.
  SharedBytes Slice(size_t offset, size_t size) const {
    return SharedBytes(owner_, view_.substr(offset, size));
  }
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  std::shared_ptr<const void> owner_;
  absl::string_view view_;
};

}  // namespace totora

#endif  // TOTORA_COMMON_SHARED_BYTES_H_
