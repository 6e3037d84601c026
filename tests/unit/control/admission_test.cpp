// SPDX-License-Identifier: BSD-3-Clause
// Who may come in: by address, by number, by rate.
#include "control/listeners/admission.hpp"

#include <gtest/gtest.h>

#include "tests/support/test_crypto.hpp"
#include "tests/unit/control/fake_network.hpp"

namespace turnpike::control {
namespace {

using test::ip;
using Verdict = Admission::Verdict;

constexpr Time kNow = seconds(1000);

AdmissionLimits limits(std::uint32_t connections, std::uint32_t per_ip) {
  return {connections, per_ip, {}, {}, {}};
}
AdmissionLimits rates(const wire::SourceRates& begun, const wire::SourceRates& greetings = {}) {
  return {1000, 0, begun, greetings, {}};
}
AdmissionLimits denial(std::string_view range) {
  const wire::AddressFilter::Rule rule{*wire::AddressRange::parse(range), true};
  return {1000, 0, {}, {}, wire::AddressFilter({&rule, 1})};
}

class AdmissionTest : public ::testing::Test {
protected:
  Admission& with(const AdmissionLimits& wanted) { return admission_.emplace(wanted, crypto_); }

private:
  test::TestCrypto crypto_;
  std::optional<Admission> admission_;
};

TEST_F(AdmissionTest, so_many_at_once_and_of_one_source) {
  Admission& admission = with(limits(3, 2));
  const auto a = ip("192.0.2.1");
  const auto b = ip("192.0.2.2");
  EXPECT_EQ(admission.add_stream(a, false, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.add_stream(a, false, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.add_stream(a, false, kNow), Verdict::kSourceReached);
  EXPECT_EQ(admission.add_stream(b, false, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.add_stream(b, false, kNow), Verdict::kTotalReached);
  admission.remove_stream(a);
  EXPECT_EQ(admission.add_stream(b, false, kNow), Verdict::kAdmitted);
}

TEST_F(AdmissionTest, sessions_are_counted_apart_and_by_source_too) {
  Admission& admission = with(limits(3, 1));
  const auto a = ip("192.0.2.1");
  EXPECT_EQ(admission.add_stream(a, false, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.add_session(a, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.add_session(a, kNow), Verdict::kSourceReached);
  admission.remove_session(a);
  EXPECT_EQ(admission.add_session(a, kNow), Verdict::kAdmitted);
}

TEST_F(AdmissionTest, of_ipv6_a_64_is_one_source) {
  Admission& admission = with(limits(10, 2));
  EXPECT_EQ(admission.add_stream(ip("2001:db8::1"), false, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.add_stream(ip("2001:db8::2"), false, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.add_stream(ip("2001:db8::3"), false, kNow), Verdict::kSourceReached);
  EXPECT_EQ(admission.add_stream(ip("2001:db8:0:1::1"), false, kNow), Verdict::kAdmitted);
  admission.remove_stream(ip("2001:db8::2"));
  EXPECT_EQ(admission.add_stream(ip("2001:db8::9"), false, kNow), Verdict::kAdmitted);
}

TEST_F(AdmissionTest, connections_and_handshakes_share_a_rate) {
  Admission& admission = with(rates({2, 0}));
  const auto a = ip("192.0.2.1");
  EXPECT_EQ(admission.add_stream(a, false, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.add_session(a, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.admit_proxied(a, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.add_stream(a, false, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.add_stream(a, false, kNow), Verdict::kSourceOverRate);
  EXPECT_EQ(admission.add_session(a, kNow), Verdict::kSourceOverRate);
  EXPECT_EQ(admission.add_stream(ip("192.0.2.2"), false, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.add_stream(a, false, kNow + seconds(1)), Verdict::kAdmitted);
}

TEST_F(AdmissionTest, everybodys_rate) {
  Admission& admission = with(rates({0, 1}));
  EXPECT_EQ(admission.add_stream(ip("192.0.2.1"), false, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.add_stream(ip("192.0.2.2"), false, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.add_stream(ip("192.0.2.3"), false, kNow), Verdict::kTotalOverRate);
}

TEST_F(AdmissionTest, a_proxy_is_not_limited_but_its_clients_are) {
  Admission& admission = with(rates({1, 0}));
  const auto proxy = ip("10.0.0.1");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(admission.add_stream(proxy, true, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.admit_proxied(ip("192.0.2.1"), kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.admit_proxied(ip("192.0.2.1"), kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.admit_proxied(ip("192.0.2.1"), kNow), Verdict::kSourceOverRate);
}

// They may come from anywhere: they take nothing from those who have proved their address.
TEST_F(AdmissionTest, greetings_have_a_rate_of_their_own) {
  Admission& admission = with(rates({1, 0}, {1, 0}));
  const auto a = ip("192.0.2.1");
  EXPECT_EQ(admission.admit_greeting(a, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.admit_greeting(a, kNow), Verdict::kAdmitted);
  EXPECT_EQ(admission.admit_greeting(a, kNow), Verdict::kGreetingOverRate);
  EXPECT_EQ(admission.add_session(a, kNow), Verdict::kAdmitted);
}

TEST_F(AdmissionTest, denied_ones_stay_out) {
  Admission& admission = with(denial("192.0.2.0/24"));
  const auto a = ip("192.0.2.1");
  EXPECT_EQ(admission.add_stream(a, false, kNow), Verdict::kDenied);
  EXPECT_EQ(admission.admit_greeting(a, kNow), Verdict::kDenied);
  EXPECT_EQ(admission.admit_proxied(a, kNow), Verdict::kDenied);
  EXPECT_EQ(admission.add_stream(a, true, kNow), Verdict::kAdmitted) << "the proxy itself may be there";
  EXPECT_EQ(admission.add_stream(ip("192.0.3.1"), false, kNow), Verdict::kAdmitted);
}

TEST_F(AdmissionTest, every_refusal_has_its_counter) {
  ClientCounters counters;
  EXPECT_TRUE(is_admitted(Verdict::kAdmitted, counters));
  for (const Verdict verdict :
       {Verdict::kDenied, Verdict::kTotalReached, Verdict::kSourceReached, Verdict::kSourceOverRate,
        Verdict::kTotalOverRate, Verdict::kGreetingOverRate}) {
    EXPECT_FALSE(is_admitted(verdict, counters));
  }
  std::uint64_t sum = 0;
  for_each(counters, [&](const char*, const char*, std::uint64_t value) {
    EXPECT_LE(value, 1u);
    sum += value;
  });
  EXPECT_EQ(sum, 6u);
}

}  // namespace
}  // namespace turnpike::control
