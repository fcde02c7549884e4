"""Tests of how a configuration is read and how its errors are told."""
