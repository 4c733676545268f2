// A simulated classic client: one connection, requests and their answers.
#ifndef TOTORA_TESTS_SIM_CLASSIC_CLIENT_H_
#define TOTORA_TESTS_SIM_CLASSIC_CLIENT_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "remoting/command.h"
#include "remoting/fields.h"
#include "remoting/request_code.h"
#include "remoting/response_code.h"
#include "tests/sim/classic_world.h"

namespace totora::sim {

// Connects to any replica, as behind one address for all, and elsewhere when that
// connection ends or a request is not answered in time.
//
// Thread safety: confined to the scheduler. Lives as long as it.
class ClassicClient {
 public:
  using Answer = std::function<void(absl::StatusOr<remoting::Command>)>;

  ClassicClient(ClassicWorld* world, std::string id);
  virtual ~ClassicClient() = default;

  void Start() { ConnectLater(); }
  // Ends the connection, for good.
  void Stop();

  const std::string& id() const { return id_; }
  bool is_stopped() const { return is_stopped_; }

 protected:
  // Calls `answer` once: with the answer whatever its code, DeadlineExceeded,
  // Unavailable.
  void Ask(remoting::RequestCode code, const remoting::FieldBuffer& fields, std::string body,
           absl::Duration timeout, Answer answer);
  template <typename Header>
  void Ask(remoting::RequestCode code, const Header& header, absl::Duration timeout,
           Answer answer) {
    remoting::FieldBuffer fields;
    remoting::WriteFields(header, &fields);
    Ask(code, fields, std::string(), timeout, std::move(answer));
  }
  // Not once it was stopped.
  void After(absl::Duration delay, std::function<void()> task);
  absl::Duration Some(absl::Duration low, absl::Duration high) {
    return world_->random().Between(low, high);
  }

  // `is_clean`: the process that it was connected to is gone, or there was none.
  virtual void Connected(bool is_clean) { static_cast<void>(is_clean); }
  virtual void LeftLiveBroker() {}
  // The network cut it; who hears of it first, the broker or we, is chance.
  virtual void LinkBroke() {}

  bool is_connected() const { return link_ != nullptr; }
  // Of the present connection; 0 if there is none.
  uint64_t connection() const { return link_ == nullptr ? 0 : connection_; }
  // The process at its other end; null if clients cannot reach it now.
  Process* broker() const { return link_ == nullptr ? nullptr : world_->reach(replica_); }
  std::shared_ptr<const Life> life() const { return link_->life(); }

  ClassicWorld* const world_;

 private:
  void ConnectLater();
  void Connect();
  void Received(const std::string& frame);
  void Ended(bool is_clean);
  // The client ends it: it is given up.
  void GiveUpConnection();

  const std::string id_;
  const std::string host_;  // Where it runs: each has one of its own.
  const remoting::Serializer serializer_;
  std::shared_ptr<ClassicLink> link_;
  uint64_t connection_ = 0;
  ReplicaId replica_;
  bool was_clean_ = true;  // How the last connection ended.
  bool is_connecting_ = false;
  bool is_stopped_ = false;
  int32_t next_opaque_ = 0;
  std::map<int32_t, Answer> pending_;
};

inline bool IsOk(const absl::StatusOr<remoting::Command>& answer) {
  return answer.ok() && answer->code == static_cast<int32_t>(remoting::ResponseCode::kSuccess);
}

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_CLASSIC_CLIENT_H_
