"""The course: exercises for readers of the notebooks, and what tells them what is wrong with an answer."""
