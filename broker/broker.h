// The broker's process: composition root.
#ifndef TOTORA_BROKER_BROKER_H_
#define TOTORA_BROKER_BROKER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "broker/settings.h"
#include "common/daemon.h"

namespace totora::broker {

// Thread safety: confined to main's thread.
class Broker : public Daemon {
 public:
  // Opens listeners, data and log, joins its group, registers, serves.
  // Errors: those of Listener::Open, raft::Replica::Open and
  //   store::StateMachine::Open.
  static absl::StatusOr<std::unique_ptr<Broker>> Start(const Settings& settings);
  ~Broker() override;

  // Hands the lead over, lets calls end, writes a checkpoint.
  void Stop() override;

 private:
  struct Parts;
  explicit Broker(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace totora::broker

#endif  // TOTORA_BROKER_BROKER_H_
