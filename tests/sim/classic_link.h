// Connections of classic clients to a simulated broker process: net's side of
// them for the production server, and a client's side for the workload.
#ifndef TOTORA_TESTS_SIM_CLASSIC_LINK_H_
#define TOTORA_TESTS_SIM_CLASSIC_LINK_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/raw_connection.h"
#include "tests/sim/scheduler.h"

namespace totora::sim {

// Bytes arrive whole and in order, or the connection ends and what was under way
// is lost. A process that dies takes its connections along; one that stands still
// leaves them open.
//
// Thread safety: confined to the scheduler.
class ClassicLink : public RawConnection, public std::enable_shared_from_this<ClassicLink> {
 public:
  // Who ended it, as the world knows and clients do not.
  enum class End { kProcessDied, kBroken, kByBroker };
  struct Client {
    std::function<void(const std::string& frame)> on_frame;
    std::function<void(End)> on_closed;  // Not after CloseByClient.
  };

  ClassicLink(Scheduler* scheduler, ConnectionInfo info, std::shared_ptr<Life> life,
              Executor* loop, Client client)
      : scheduler_(scheduler),
        info_(std::move(info)),
        life_(std::move(life)),
        loop_(loop),
        client_(std::move(client)) {}

  // Before anything else.
  void SetHandler(std::unique_ptr<RawHandler> handler) { handler_ = std::move(handler); }

  // --- The client's side --------------------------------------------------------

  void Send(std::string frame);
  void CloseByClient();
  // The network cuts it: both sides notice, what is under way is lost.
  void Break();
  std::shared_ptr<const Life> life() const { return life_; }

  // --- The process's side -------------------------------------------------------

  void ProcessDied(bool host_went);
  // No callback comes any more, and nothing that it holds lives on.
  void Drop();

  // RawConnection
  const ConnectionInfo& info() const override { return info_; }
  Executor* executor() override { return loop_; }
  bool Write(std::string bytes) override;
  bool Write(std::vector<SharedBytes> pieces) override;
  void Close() override;
  void PauseReading() override {}
  void ResumeReading() override {}

 private:
  absl::Duration Latency();
  void ToClient(std::function<void()> what);
  void TellHandlerClosed();
  void TellClientClosed(End end, absl::Duration after);

  Scheduler* const scheduler_;
  const ConnectionInfo info_;
  const std::shared_ptr<Life> life_;
  Executor* const loop_;
  Client client_;
  std::unique_ptr<RawHandler> handler_;
  std::string unread_;       // Arrived, and left by the handler.
  absl::Duration last_in_;   // When what was sent last arrives.
  absl::Duration last_out_;
  bool is_client_gone_ = false;   // The client hears nothing any more.
  bool is_broker_gone_ = false;   // What the broker writes goes nowhere.
  bool is_handler_told_ = false;
};

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_CLASSIC_LINK_H_
