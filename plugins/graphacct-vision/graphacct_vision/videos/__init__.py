"""Models of videos: cuboids of frames as tokens."""
