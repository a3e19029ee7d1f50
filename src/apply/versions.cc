// SPDX-License-Identifier: Apache-2.0
#include "apply/versions.h"

#include <algorithm>

namespace freshet::apply {
namespace {

/// Goes through the states of one key with the version in force.
class Versioning {
 public:
  explicit Versioning(const KeyBefore& before)
      : open_(before.open), own_(before.own), at_(before.at) {}

  KeyVersions Take(VersionOrder order, std::span<const KeyState> states) {
    for (uint32_t i = 0; i < states.size(); ++i) {
      order == VersionOrder::kCommits ? ByCommit(i, states[i]) : BySequence(i, states[i]);
    }
    return std::move(result_);
  }

 private:
  void ByCommit(uint32_t ordinal, const KeyState& state) {
    const bool goes_on = own_ && state.goes_on;
    if (!state.live) {
      if (open_ && goes_on) {  // nobody was to see it
        Drop();
      } else if (open_) {
        at_ = After(state.at);
        Close(at_, ordinal);
      }
    } else if (!open_) {
      if (!goes_on) at_ = After(state.at);
      Open(ordinal);
    } else if (!state.same) {
      if (goes_on) {
        Drop();
      } else {
        at_ = After(state.at);
        Close(at_, ordinal);
      }
      Open(ordinal);
    }
    own_ = own_ && state.goes_on;
  }

  void BySequence(uint32_t ordinal, const KeyState& state) {
    if (!state.live) {
      if (open_) Close(at_, ordinal);
      return;
    }
    if (open_ && state.at < at_) return;
    if (open_ && state.at == at_) {
      Drop();
    } else if (open_) {
      Close(state.at, ordinal);
    }
    at_ = state.at;
    Open(ordinal);
  }

  /// The time of the key's next event, which may have been committed no later than its last.
  Moment After(const Moment& committed) const {
    if (at_.empty() || committed > at_) return committed;
    return MomentOf(MicrosOf(at_) + 1);
  }

  void Open(uint32_t ordinal) {
    result_.versions.push_back({ordinal, at_, {}, 0});
    open_ = true;
  }
  void Close(const Moment& end, uint32_t ender) {
    if (result_.versions.empty()) {
      result_.row = KeyVersions::Row::kCloses;
      result_.row_end = end;
      result_.row_ender = ender;
    } else {
      result_.versions.back().end = end;
      result_.versions.back().ender = ender;
    }
    open_ = false;
  }
  /// Take the version in force away as if it had never been.
  void Drop() {
    if (result_.versions.empty()) {
      result_.row = KeyVersions::Row::kGoes;
    } else {
      result_.versions.pop_back();
    }
    open_ = false;
  }

  bool open_, own_;
  Moment at_;  // when the version in force began, or the last one ended
  KeyVersions result_;
};

}  // namespace

KeyVersions VersionsOf(VersionOrder order, const KeyBefore& before,
                       std::span<const KeyState> states) {
  return Versioning(before).Take(order, states);
}

}  // namespace freshet::apply
