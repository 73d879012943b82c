"""Medical Subject Headings as a vocabulary: the files that the National Library of Medicine publishes, read and kept."""
