/// The one file that holds Catch2's runner (12 s to compile).

#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
