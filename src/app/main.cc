// SPDX-License-Identifier: Apache-2.0
#include "app/command_line.h"

int main(int count, char** arguments) { return freshet::app::Main(count, arguments); }
