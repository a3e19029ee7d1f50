// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "apply/moments.h"

namespace freshet::apply {

/// What orders the versions of a key.
enum class VersionOrder : uint8_t {
  kCommits,   // the source's commits; a version begins later than the one before it did
  kSequences  // the values of columns; what comes with lower ones than the row has is late
};

/// What a table says of a key before the changes of a fold.
struct KeyBefore {
  bool open = false;  // there is a row of it that is in force
  /// … or the newest closed one was closed, by the very transaction that the fold goes on with.
  bool own = false;
  /// When the row in force began; without one, when the newest closed version ended. Empty: none,
  /// or it is not kept.
  Moment at;
};

/// A state that changes gave a key, in the order of apply.
struct KeyState {
  bool live = false;     // false: deleted
  bool same = false;     // live, and content equal to the state before it (the first: to the row)
  bool goes_on = false;  // of the transaction that the fold goes on with
  Moment at;             // when it was committed, or its sequence; a deletion has no sequence
};

/// What becomes of a key.
struct KeyVersions {
  enum class Row : uint8_t { kStays, kCloses, kGoes } row = Row::kStays;  // of the row in force
  Moment row_end;                                                         // if it closes
  uint32_t row_ender = 0;  // and by which state, by ordinal
  struct Version {
    uint32_t state = 0;  // whose content it has, by ordinal
    Moment start, end;   // end empty: in force
    uint32_t ender = 0;  // the state that ended it
  };
  std::vector<Version> versions;  // new ones, in order
};

/// Make a key's states its versions. A pure function.
///
///   commits:    a live state that differs closes the version before it and opens its own; a
///               deletion closes. Each happens at its commit's time, but at least 1 µs after the
///               one before it of the key.
///   sequences:  a live state closes and opens at its sequence; with the sequence of the version in
///               force it takes its place, with a lower one it is late and counts for nothing. A
///               deletion closes the version where it began, and is never late. A key that has no
///               version in force takes whatever comes.
KeyVersions VersionsOf(VersionOrder order, const KeyBefore& before,
                       std::span<const KeyState> states);

}  // namespace freshet::apply
