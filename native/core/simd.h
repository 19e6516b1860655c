#pragma once

/// Put before a leaf function whose inner loop should use the widest vectors of the machine it runs on: the
/// compiler emits one copy per instruction set and the loader picks. Never on a function with an OpenMP
/// region: outlined regions do not inherit the target.
#if defined(__gnu_linux__) && defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define DELTASCOPE_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DELTASCOPE_SIMD
#endif
