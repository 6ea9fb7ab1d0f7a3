"""Trying an edit of a policy folder: checked, judged, compared with the folder, exported; nothing is ever written."""
