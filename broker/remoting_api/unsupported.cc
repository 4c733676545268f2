#include "broker/remoting_api/unsupported.h"

#include <cstdint>

#include "remoting/connection.h"
#include "remoting/request_code.h"
#include "remoting/response_code.h"

namespace totora::remoting_api {
namespace {

using remoting::RemotingRequestPtr;
using remoting::RequestCode;
using remoting::ResponseCode;

struct Unsupported {
  int32_t code;  // RequestCode.java.
  const char* why;
};

constexpr char kNoTransactions[] = "transactions are not supported yet";
constexpr char kNoReply[] = "request-reply is not supported yet";
constexpr char kNoPop[] = "POP is not supported yet";
constexpr char kNoWheel[] = "timers are part of the replicated log: there are no timer files";
constexpr char kNoRocksCq[] = "consume queues are not kept in files of their own";
constexpr char kNoHa[] =
    "replicas follow one Raft log, there are no master, slaves and epochs; "
    "see totora cluster status";
constexpr char kNoCold[] = "reads of cold data are not throttled here";
constexpr char kNoReadAhead[] = "the log is not read through mapped memory";
constexpr char kNoAuth[] = "users and access control are not supported yet";
constexpr char kNoAcl1[] = "access control lists of RocketMQ 4 are not supported";

constexpr Unsupported kUnsupported[] = {
    {37, kNoTransactions},   {45, "delayed messages are in no schedule queues: they have no offsets"},
    {46, "subscriptions other than by tags are not supported yet"},
    {50, kNoAcl1},           {51, kNoAcl1},
    {52, kNoAcl1},           {53, kNoAcl1},
    {54, kNoAcl1},           {60, kNoWheel},
    {61, kNoWheel},          {323, kNoTransactions},
    {324, kNoReply},         {325, kNoReply},
    {354, kNoRocksCq},       {355, kNoRocksCq},
    {370, "recalling a delayed message is not supported yet"},
    {400, "consumers share queues themselves here; leave clientRebalance on"},
    {402, kNoPop},           {513, "static topics are not supported"},
    {907, kNoHa},            {908, kNoHa},
    {1007, kNoHa},           {2001, kNoCold},
    {2002, kNoCold},         {2003, kNoCold},
    {2004, kNoReadAhead},    {3001, kNoAuth},
    {3002, kNoAuth},         {3003, kNoAuth},
    {3004, kNoAuth},         {3005, kNoAuth},
    {3006, kNoAuth},         {3007, kNoAuth},
    {3008, kNoAuth},         {3009, kNoAuth},
    {3010, kNoAuth},         {200050, kNoPop},
    {200051, kNoPop},        {200052, kNoPop},
    {200053, kNoPop},        {200054, kNoPop},
    {200055, kNoPop},        {200056, kNoPop},
    {200151, kNoPop},
};

}  // namespace

void AddUnsupported(remoting::RemotingService* to) {
  for (const Unsupported& one : kUnsupported) {
    to->Add(static_cast<RequestCode>(one.code), [why = one.why](const RemotingRequestPtr& request) {
      request->Reply(ResponseCode::kRequestCodeNotSupported, why);
    });
  }
}

}  // namespace totora::remoting_api
