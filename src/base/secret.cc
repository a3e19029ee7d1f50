// SPDX-License-Identifier: Apache-2.0
#include "base/secret.h"

#include <cstring>

namespace freshet {

Secret::~Secret() { explicit_bzero(value_.data(), value_.size()); }

}  // namespace freshet
