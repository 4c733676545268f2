#include "bench/classic_fleet.h"

#include <algorithm>
#include <future>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "remoting/bodies/route.h"
#include "remoting/fields.h"
#include "remoting/frame.h"
#include "remoting/header/nameserver.h"
#include "remoting/request_code.h"
#include "remoting/response_code.h"

namespace totora::bench {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(5);
constexpr absl::Duration kRouteTimeout = absl::Seconds(1);
// Between two questions for a route: elections take about as long.
constexpr absl::Duration kLookInterval = absl::Milliseconds(50);
constexpr int32_t kReadable = 4;
constexpr int32_t kWritable = 2;

absl::StatusOr<remoting::TopicRouteData> RouteIn(const remoting::Command& answer) {
  if (answer.code == static_cast<int32_t>(remoting::ResponseCode::kTopicNotExist)) {
    return absl::NotFoundError(std::string(answer.remark));
  }
  if (answer.code != static_cast<int32_t>(remoting::ResponseCode::kSuccess)) {
    return absl::UnavailableError(
        absl::StrCat("no route: code ", answer.code, ", ", answer.remark));
  }
  return remoting::DecodeBody<remoting::TopicRouteData>(answer.body.view());
}

// Of whoever takes writes.
std::map<std::string, std::string> AddressesIn(const remoting::TopicRouteData& route) {
  std::map<std::string, std::string> addresses;
  for (const remoting::BrokerData& broker : route.brokers) {
    const auto leader = broker.addresses.find(0);
    if (leader != broker.addresses.end()) addresses[broker.broker_name] = leader->second;
  }
  return addresses;
}

}  // namespace

ClassicFleet::ClassicFleet(const ClassicFleetOptions& options)
    : options_(options), loop_("bench-classic") {}

ClassicFleet::~ClassicFleet() { loop_.Stop(); }

absl::StatusOr<std::unique_ptr<ClassicFleet>> ClassicFleet::Start(
    const ClassicFleetOptions& options) {
  std::unique_ptr<ClassicFleet> fleet(new ClassicFleet(options));
  TOTORA_RETURN_IF_ERROR(fleet->FindRoute());
  TOTORA_RETURN_IF_ERROR(fleet->Connect());
  return fleet;
}

void ClassicFleet::AskRoute(ClassicConnection::Done done) {
  remoting::FieldBuffer fields;
  remoting::WriteFields(remoting::GetRouteInfoRequest{.topic = options_.topic}, &fields);
  const int32_t opaque = guide_->NextOpaque();
  std::string frame;
  const absl::Status status = remoting::AppendFrameHead(
      {.code = static_cast<int32_t>(remoting::RequestCode::kGetRouteInfoByTopic),
       .opaque = opaque},
      fields, 0, &frame);
  if (!status.ok()) {
    done(status);
    return;
  }
  guide_->Call(opaque, std::move(frame), kRouteTimeout, std::move(done));
}

absl::Status ClassicFleet::FindRoute() {
  auto answered = std::make_shared<std::promise<absl::StatusOr<remoting::Command>>>();
  loop_.Post([this, answered] {
    guide_ = std::make_shared<ClassicConnection>(&loop_, budget_, options_.endpoint);
    guide_->Open([this, answered, asked = false](bool is_up) mutable {
      if (std::exchange(asked, true)) return;
      if (!is_up) {
        answered->set_value(absl::UnavailableError(
            absl::StrCat("nobody can be reached at ", options_.endpoint)));
        return;
      }
      // Not from inside of the event: the connection is just being made.
      loop_.Post([this, answered] {
        AskRoute([answered](absl::StatusOr<remoting::Command> answer) {
          answered->set_value(std::move(answer));
        });
      });
    });
  });
  auto future = answered->get_future();
  if (future.wait_for(absl::ToChronoNanoseconds(kStartTimeout)) != std::future_status::ready) {
    return absl::UnavailableError(absl::StrCat("nobody answers at ", options_.endpoint));
  }
  TOTORA_ASSIGN_OR_RETURN(const remoting::Command answer, future.get());
  TOTORA_ASSIGN_OR_RETURN(const remoting::TopicRouteData route, RouteIn(answer));
  first_addresses_ = AddressesIn(route);
  for (const auto& [name, address] : first_addresses_) brokers_.push_back(name);
  const int32_t wanted = options_.reads ? kReadable : kWritable;
  for (const remoting::QueueData& data : route.queues) {
    const auto broker = std::find(brokers_.begin(), brokers_.end(), data.broker_name);
    if (broker == brokers_.end() || (data.perm & wanted) == 0) continue;
    const int32_t queues = options_.reads ? data.read_queue_nums : data.write_queue_nums;
    for (int32_t id = 0; id < queues; ++id) {
      queues_.push_back({static_cast<size_t>(broker - brokers_.begin()), id});
    }
    queue_ids_ = std::max(queue_ids_, queues);
  }
  if (queues_.empty()) {
    return absl::NotFoundError(
        absl::StrCat("topic ", options_.topic, " has no queues at brokers that live"));
  }
  return absl::OkStatus();
}

absl::Status ClassicFleet::Connect() {
  const size_t wanted = options_.clients * brokers_.size();
  auto all_up = std::make_shared<std::promise<void>>();
  loop_.Post([this, all_up, wanted] {
    auto missing = std::make_shared<size_t>(wanted);
    for (size_t i = 0; i < wanted; ++i) {
      const std::string address = options_.is_direct
                                      ? options_.endpoint
                                      : first_addresses_[brokers_[i % brokers_.size()]];
      connections_.push_back(std::make_shared<ClassicConnection>(&loop_, budget_, address));
      connections_.back()->Open([this, all_up, missing, was_up = false](bool is_up) mutable {
        if (!is_up) return LookAgain();
        if (!std::exchange(was_up, true) && --*missing == 0) all_up->set_value();
      });
    }
  });
  if (all_up->get_future().wait_for(absl::ToChronoNanoseconds(kStartTimeout)) !=
      std::future_status::ready) {
    return absl::UnavailableError("the brokers that the route names cannot be reached");
  }
  return absl::OkStatus();
}

void ClassicFleet::LookAgain() {
  const absl::Duration now = loop_.clock().SteadyNow();
  if (options_.is_direct || is_asking_ || now < asked_at_ + kLookInterval || !guide_->is_up()) {
    return;
  }
  is_asking_ = true;
  asked_at_ = now;
  AskRoute([this](const absl::StatusOr<remoting::Command>& answer) {
    is_asking_ = false;
    TakeRoute(answer);
  });
}

void ClassicFleet::TakeRoute(const absl::StatusOr<remoting::Command>& answer) {
  if (!answer.ok()) return;
  const auto route = RouteIn(*answer);
  if (!route.ok()) return;
  const std::map<std::string, std::string> addresses = AddressesIn(*route);
  for (size_t i = 0; i < connections_.size(); ++i) {
    const auto found = addresses.find(brokers_[i % brokers_.size()]);
    if (found != addresses.end()) connections_[i]->MoveTo(found->second);
  }
}

}  // namespace totora::bench
