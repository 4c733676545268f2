// RocketMQ's classic protocol in front of a broker: the requests of producers
// and consumers. docs/protocol/remoting.md tells which.
#ifndef TOTORA_BROKER_REMOTING_API_REMOTING_API_H_
#define TOTORA_BROKER_REMOTING_API_REMOTING_API_H_

#include <memory>

#include "broker/remoting_api/client_channels.h"
#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// Thread safety: constructed by one thread before the listeners start; then
// handlers run on the connections' loops.
class RemotingApi {
 public:
  // `broker` must outlive this object, and this object every listener that
  // serves service(), and the tasks of the broker's executor.
  explicit RemotingApi(service::BrokerService* broker, const RemotingApiOptions& options = {});
  RemotingApi(const RemotingApi&) = delete;
  RemotingApi& operator=(const RemotingApi&) = delete;

  const remoting::RemotingService* service() const { return &service_; }

 private:
  ClientChannels channels_;
  const HandlerContext context_;
  remoting::RemotingService service_;
};

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_REMOTING_API_H_
