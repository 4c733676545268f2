// The Registration service of proto/namesrv.proto over our own gRPC server.
#ifndef TOTORA_NAMESRV_REGISTRATION_SERVICE_H_
#define TOTORA_NAMESRV_REGISTRATION_SERVICE_H_

#include <atomic>

#include "namesrv/route_table.h"
#include "net/grpc_service.h"

namespace totora::namesrv {

// Thread safety: handlers run on connections' loops; the table is a monitor.
class RegistrationService {
 public:
  // `table` must outlive every call.
  explicit RegistrationService(RouteTable* table) : table_(table) {}

  void Register(GrpcService* service);

 private:
  void HandleRegister(const GrpcCallPtr& call);
  void HandleQuery(const GrpcCallPtr& call, const std::string& request);
  void HandleWatch(const GrpcCallPtr& call);

  RouteTable* const table_;
  std::atomic<RouteTable::StreamId> next_stream_{1};
};

}  // namespace totora::namesrv

#endif  // TOTORA_NAMESRV_REGISTRATION_SERVICE_H_
