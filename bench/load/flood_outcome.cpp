// SPDX-License-Identifier: BSD-3-Clause
// Answers by name, and the report.
#include "bench/load/flood_outcome.hpp"

#include "bench/load/result.hpp"
#include "common/stun/attributes.hpp"
#include "common/stun/message_view.hpp"

namespace turnpike::load {
namespace {

std::string name_of_answer(Bytes answer) {
  const auto message = stun::MessageView::parse(answer);
  if (!message) return "no STUN";
  if (message->message_class() == stun::MessageClass::kSuccess) return "success";
  const auto value = message->find(stun::Attribute::kErrorCode);
  const auto error = value ? stun::decode_error(*value) : std::nullopt;
  return error ? std::to_string(error->code) : "other";
}

double per(double part, double whole) { return whole > 0 ? part / whole : 0; }

}  // namespace

void FloodOutcome::take(Bytes answer) {
  ++received;
  received_bytes += answer.size();
  ++answers[name_of_answer(answer)];
}

void print_flood(const Options& options, const FloodOutcome& outcome) {
  const auto sent_bytes = static_cast<double>(outcome.sent_bytes);
  const Json result{{"mode", "invalid"},
                    {"flood", options.sockets.flood},
                    {"seed", options.sockets.seed},
                    {"sources", options.sources},
                    {"seconds", outcome.seconds},
                    {"offered_pps", options.rate},
                    {"sent_pps", per(static_cast<double>(outcome.sent), outcome.seconds)},
                    {"sent_mbps", per(sent_bytes * 8 / 1e6, outcome.seconds)},
                    {"sent", outcome.sent},
                    {"late", outcome.missed},
                    {"refused", outcome.refused},
                    {"answered", outcome.received},
                    {"dropped_by_generator", outcome.dropped},
                    {"answers", Json(outcome.answers)},
                    {"sent_bytes", outcome.sent_bytes},
                    {"answered_bytes", outcome.received_bytes},
                    {"amplification", per(static_cast<double>(outcome.received_bytes), sent_bytes)},
                    {"server_answers", outcome.answers_binding}};
  print_result(options.json, result);
}

}  // namespace turnpike::load
