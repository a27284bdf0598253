#!/bin/sh
# The documentation as data is an unstable output of rustdoc. It is asked of rustdoc alone: the
# variable on all of cargo would build every dependency anew.
RUSTC_BOOTSTRAP=1 exec rustdoc "$@"
