"""From videos to a parallel corpus: clips, poses, virtual sensors and words, the way FiMAD was made."""
