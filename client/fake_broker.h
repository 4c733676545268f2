// A broker of gRPC v2 in this process, for tests: stores what it is sent, hands
// it out once, and misbehaves where a test tells it to.
#ifndef TOTORA_CLIENT_FAKE_BROKER_H_
#define TOTORA_CLIENT_FAKE_BROKER_H_

#include <grpcpp/grpcpp.h>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "proto/rocketmq/v2/service.grpc.pb.h"

namespace totora::client {

// Thread safety: monitor; the members set by tests are set before clients start.
class FakeBroker : public apache::rocketmq::v2::MessagingService::Service {
 public:
  FakeBroker();
  ~FakeBroker() override;

  std::string address() const;

  // The next sends, in turn: 0 stores and answers; a v2 code refuses; -1 fails
  // the call; -2 stores and then fails the call, so that the answer is lost.
  void NextSends(std::vector<int> fates);

  // Ids in the order of arrival, repeats included.
  std::vector<std::string> arrivals() const;
  // Different ids.
  size_t stored() const;
  size_t terminations() const;
  std::string last_client_id() const;
  std::string last_body() const;

  bool answers_telemetry = true;
  bool has_topic = true;

 private:
  template <typename T>
  using Writer = grpc::ServerWriter<T>;
  using Context = grpc::ServerContext;

  grpc::Status QueryRoute(Context*, const apache::rocketmq::v2::QueryRouteRequest*,
                          apache::rocketmq::v2::QueryRouteResponse*) override;
  grpc::Status SendMessage(Context*, const apache::rocketmq::v2::SendMessageRequest*,
                           apache::rocketmq::v2::SendMessageResponse*) override;
  grpc::Status ReceiveMessage(Context*, const apache::rocketmq::v2::ReceiveMessageRequest*,
                              Writer<apache::rocketmq::v2::ReceiveMessageResponse>*) override;
  grpc::Status AckMessage(Context*, const apache::rocketmq::v2::AckMessageRequest*,
                          apache::rocketmq::v2::AckMessageResponse*) override;
  grpc::Status ChangeInvisibleDuration(
      Context*, const apache::rocketmq::v2::ChangeInvisibleDurationRequest*,
      apache::rocketmq::v2::ChangeInvisibleDurationResponse*) override;
  grpc::Status Telemetry(
      Context*, grpc::ServerReaderWriter<apache::rocketmq::v2::TelemetryCommand,
                                         apache::rocketmq::v2::TelemetryCommand>*) override;
  grpc::Status NotifyClientTermination(
      Context*, const apache::rocketmq::v2::NotifyClientTerminationRequest*,
      apache::rocketmq::v2::NotifyClientTerminationResponse*) override;

  mutable Mutex mu_;
  std::deque<int> fates_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> arrivals_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, apache::rocketmq::v2::Message> stored_ ABSL_GUARDED_BY(mu_);
  std::deque<std::string> to_deliver_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> leased_ ABSL_GUARDED_BY(mu_);
  size_t terminations_ ABSL_GUARDED_BY(mu_) = 0;
  std::string last_client_id_ ABSL_GUARDED_BY(mu_);
  std::string last_body_ ABSL_GUARDED_BY(mu_);
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace totora::client

#endif  // TOTORA_CLIENT_FAKE_BROKER_H_
