"""Retraining: from a fleet's own sound to a model beside its champion, or to the reasons why not."""
