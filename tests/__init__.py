"""Tests; their folders mirror the two packages."""
