// SPDX-License-Identifier: BSD-3-Clause
// Our endpoints as Boost.Asio's and back.
#pragma once

#include <boost/asio/ip/address.hpp>

#include "common/wire/endpoint.hpp"

namespace turnpike::control {

template <typename Protocol>
typename Protocol::endpoint to_asio(const wire::Endpoint& endpoint) {
  namespace ip = boost::asio::ip;
  if (endpoint.address.is_v4()) {
    ip::address_v4::bytes_type bytes;
    std::copy_n(endpoint.address.bytes.begin(), bytes.size(), bytes.begin());
    return {ip::address_v4(bytes), endpoint.port};
  }
  return {ip::address_v6(endpoint.address.bytes), endpoint.port};
}

template <typename AsioEndpoint>
wire::Endpoint from_asio(const AsioEndpoint& endpoint) {
  const auto address = endpoint.address();
  if (address.is_v4())
    return {wire::IpAddress::v4_bytes(address.to_v4().to_bytes().data()), 0, endpoint.port()};
  return {wire::IpAddress::v6_bytes(address.to_v6().to_bytes().data()), 0, endpoint.port()};
}

}  // namespace turnpike::control
