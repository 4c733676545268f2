// The nameserver's process: composition root.
#ifndef TOTORA_NAMESRV_NAMESRV_H_
#define TOTORA_NAMESRV_NAMESRV_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/configuration.h"
#include "common/daemon.h"

namespace totora::namesrv {

// Rows and RocketMQ keys without meaning, of the nameserver's configuration.
const std::vector<SettingRow>& SettingRows();
const std::vector<IgnoredKey>& IgnoredKeys();

// Thread safety: confined to main's thread.
class Namesrv : public Daemon {
 public:
  // Opens the listener and serves. Errors: the address is in use or not ours.
  static absl::StatusOr<std::unique_ptr<Namesrv>> Start(const Configuration& configuration);
  ~Namesrv() override;

  uint16_t port() const;
  // Stops accepting, ends streams, returns when all is over.
  void Stop() override;

 private:
  struct Parts;
  explicit Namesrv(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace totora::namesrv

#endif  // TOTORA_NAMESRV_NAMESRV_H_
