"""Who speaks: the characters of a scene, the strips that they speak, their photos and the faces that were learnt."""
