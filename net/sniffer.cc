#include "net/sniffer.h"

#include <algorithm>
#include <memory>

#include "common/log.h"
#include "net/grpc_session.h"
#include "net/http_session.h"
#include "net/raw_session.h"

namespace totora::net {
namespace {

bool ShareStart(absl::string_view a, absl::string_view b) {
  const size_t n = std::min(a.size(), b.size());
  return a.substr(0, n) == b.substr(0, n);
}

constexpr absl::string_view kVerbs[] = {"GET ",   "HEAD ",  "POST ",    "PUT ",    "DELETE ",
                                        "PATCH ", "TRACE ", "OPTIONS ", "CONNECT "};

}  // namespace

Sniffed Sniff(absl::string_view first_bytes) {
  if (first_bytes.empty()) return Sniffed::kUndecided;
  if (first_bytes[0] == '\x16') {
    if (first_bytes.size() < 2) return Sniffed::kUndecided;
    return first_bytes[1] == '\x03' ? Sniffed::kTls : Sniffed::kOther;
  }
  if (ShareStart(first_bytes, kHttp2Preface)) {
    return first_bytes.size() >= kHttp2Preface.size() ? Sniffed::kHttp2 : Sniffed::kUndecided;
  }
  for (const absl::string_view verb : kVerbs) {
    if (!ShareStart(first_bytes, verb)) continue;
    return first_bytes.size() >= verb.size() ? Sniffed::kHttp1 : Sniffed::kUndecided;
  }
  return ShareStart(first_bytes, "PRI ") ? Sniffed::kBroken : Sniffed::kOther;
}

void Sniffer::OnBytes(absl::string_view bytes) {
  // Nearly always the first bytes come in one piece.
  if (!kept_.empty()) {
    kept_.append(bytes.data(), bytes.size());
    bytes = kept_;
  }
  const ListenerProtocols& serves = connection_->serving()->protocols;
  switch (Sniff(bytes)) {
    case Sniffed::kUndecided:
      if (kept_.empty()) kept_.assign(bytes.data(), bytes.size());
      return;
    case Sniffed::kHttp2:
      if (serves.grpc == nullptr) return Refuse(NetRefusal::kProtocolNotServed);
      return connection_->Become(std::make_unique<GrpcSession>(connection_, serves.grpc), bytes);
    case Sniffed::kHttp1:
      if (!serves.http) return Refuse(NetRefusal::kProtocolNotServed);
      return connection_->Become(std::make_unique<HttpSession>(connection_, &serves.http), bytes);
    case Sniffed::kTls:
      return Refuse(NetRefusal::kTlsNotServed);
    case Sniffed::kBroken:
      return Refuse(NetRefusal::kHttp2Malformed);
    case Sniffed::kOther: {
      if (!serves.raw.factory) return Refuse(NetRefusal::kProtocolUnknown);
      std::unique_ptr<RawSession> session = RawSession::Make(connection_, serves.raw);
      if (session == nullptr) return Refuse(NetRefusal::kRawRefused);
      return connection_->Become(std::move(session), bytes);
    }
  }
}

void Sniffer::OnWatch(int64_t now_nanos) {
  if (started_nanos_ == 0) started_nanos_ = now_nanos;
  const int64_t waited = now_nanos - started_nanos_;
  if (waited > absl::ToInt64Nanoseconds(connection_->limits().first_bytes_timeout)) {
    Refuse(NetRefusal::kFirstBytesLate);
  }
}

void Sniffer::Refuse(NetRefusal reason) {
  connection_->budget().counters().CountRefusal(reason);
  TOTORA_LOG_LIMITED(kInfo, "net")
      << Field("peer", connection_->info()->peer)
      << Field("listener", connection_->info()->listener_tag)
      << Field("reason", NetRefusalName(reason)) << "connection refused";
  connection_->Close("refused");
}

}  // namespace totora::net
