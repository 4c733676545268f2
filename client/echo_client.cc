#include "client/echo_client.h"

#include <utility>

#include "client/rpc.h"

namespace totora::client {

class EchoClient::Core {
 public:
  Core(const std::string& address, Runtime* runtime)
      : stub(MakeChannel(address)), poller(runtime->poller()) {}
  grpc::GenericStub stub;
  Poller* const poller;
  Flights flights;
};

EchoClient::EchoClient(const std::string& address, Runtime* runtime)
    : core_(std::make_unique<Core>(address, runtime)) {}

EchoClient::~EchoClient() {
  core_->flights.Close();
  core_->flights.WaitUntilEmpty();
}

void EchoClient::CallAsync(const std::string& bytes, absl::Duration timeout,
                           absl::AnyInvocable<void(absl::Status)> done) {
  if (!core_->flights.Enter()) {
    done(absl::CancelledError("the client is being stopped"));
    return;
  }
  grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  using Call = UnaryCall<grpc::ByteBuffer>;
  auto* call = new Call(
      {}, timeout, false,
      [core = core_.get(), size = bytes.size(), done = std::move(done)](
          const grpc::Status& status, grpc::ByteBuffer& answer) mutable {
        absl::Status outcome = FromGrpcStatus(status);
        if (outcome.ok() && answer.Length() != size) {
          outcome = absl::DataLossError("the echo has another length than the call");
        }
        done(outcome);
        core->flights.Leave();
      });
  call->Start(core_->stub.PrepareUnaryCall(call->context(), "/totora.bench.Echo/Echo", request,
                                           core_->poller->queue()));
}

}  // namespace totora::client
